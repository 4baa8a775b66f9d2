"""The thread that works through export jobs, one after the other, and clears away files whose time has come.

A restart begins an unfinished job anew. It refuses to let exports take more of the disk than their share, and to touch
files that are not exports.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.api.history.export_files import NoRoom, write
from services.api.history.export_orders import ExportOrder, plan
from services.api.history.forms.negotiation import SUFFIXES, Form
from services.api.settings import ApiSettings
from services.domain.errors import CitygaugeError, Unavailable
from services.store.connection import Connection, connect
from services.store.query.export_rows import READERS
from services.store.query.exports import ExportJob, ExportRepository, Written

_LOG: Final = logging.getLogger("citygauge.api")
_BEAT_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
_KEPT_ROWS: Final = timedelta(days=30)
_OURS: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[a-z]+(\.[0-9a-f]{8}\.part)?"
)


class _Taken(Exception):
    """The job is somebody else's now, was cancelled, or the service stops."""


def path_of(settings: ApiSettings, job: ExportJob) -> Path:
    """Where the job's file is, or will be."""
    return folder(settings) / f"{job.id}.{SUFFIXES[Form(job.asked['format'])]}"


def folder(settings: ApiSettings) -> Path:
    """The folder of exports; it may not be there yet."""
    if settings.export_folder:
        return Path(settings.export_folder)
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local/state"
    return base / "citygauge/exports"


class ExportRunner:
    """The thread; `hint` wakes it."""

    def __init__(self, url: str, settings: ApiSettings) -> None:
        self._url, self._settings = url, settings
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="exports", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a job under way is left for the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(5.0)

    def hint(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _follow(self) -> None:
        pause = 0.5
        while not self._stop.is_set():
            try:
                with self._connection() as connection:
                    repository = ExportRepository(connection)
                    self._clear(repository)
                    while not self._stop.is_set():
                        job = repository.take(self._worker)
                        if job is None:
                            break
                        self._work(connection, job)
                pause = 0.5
                self._wake.wait(self._settings.export_poll_s)
                self._wake.clear()
            except Unavailable as error:
                _LOG.info("exports wait for the database retry_s=%.1f cause=%s", pause, error)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            except Exception:
                _LOG.exception("exports failed and start again retry_s=%.1f", pause)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with connect(
            self._url,
            "citygauge-api-exports",
            autocommit=True,
            statement_timeout_s=self._settings.export_statement_timeout_s,
        ) as connection:
            yield connection

    def _work(self, connection: Connection, job: ExportJob) -> None:
        repository = ExportRepository(connection)
        path = path_of(self._settings, job)
        _LOG.info("export begins id=%s by=%s", job.id, job.asked_by)
        beaten = time.monotonic()

        def report(progress: Written) -> None:
            nonlocal beaten
            if self._stop.is_set():
                raise _Taken
            now = time.monotonic()
            if now - beaten < _BEAT_S and progress.progress < 1:
                return
            beaten = now
            if not repository.beat(job.id, self._worker, progress):
                raise _Taken

        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in path.parent.glob(f"{path.name}.*.part"):
                part.unlink(missing_ok=True)  # of a worker that was killed
            room = self._settings.export_disk_bytes - self._taken_bytes()
            if room <= 0:
                raise NoRoom(self._settings.export_disk_bytes)
            # progress is told over a connection that reads nothing meanwhile
            with ExitStack() as stack:
                reading = [stack.enter_context(self._connection()) for _ in range(READERS)]
                made = plan(reading[0], ExportOrder.model_validate(job.asked))
                done, sha256 = write(made, reading, path, room_bytes=room, on_progress=report)
            keep = timedelta(hours=self._settings.export_keep_hours)
            if not repository.finish(job.id, self._worker, done, sha256=sha256, keep=keep):
                path.unlink(missing_ok=True)
            _LOG.info("export done id=%s rows=%d bytes=%d", job.id, done.rows, done.bytes)
        except _Taken:
            _LOG.info("export left id=%s", job.id)
            repository.release(job.id, self._worker)
        except Unavailable:
            raise
        except (CitygaugeError, ValidationError) as error:
            _LOG.warning("export failed id=%s cause=%s", job.id, error)
            repository.fail(job.id, self._worker, str(error))
        except OSError as error:
            _LOG.warning("export failed id=%s cause=%s", job.id, error)
            problem = f"the file cannot be written: {error.strerror or error}"
            repository.fail(job.id, self._worker, problem)
        except Exception:
            _LOG.exception("export failed id=%s", job.id)
            repository.fail(
                job.id, self._worker, "something went wrong on our side; the log has the cause"
            )

    def _taken_bytes(self) -> int:
        taken = 0
        for path in self._files():
            with suppress(FileNotFoundError):  # deleted meanwhile
                taken += path.stat().st_size
        return taken

    def _files(self) -> list[Path]:
        place = folder(self._settings)
        if not place.is_dir():
            return []
        return [path for path in place.iterdir() if _OURS.fullmatch(path.name)]

    def _clear(self, repository: ExportRepository) -> None:
        """Remove the files of jobs that have ended; files of jobs that this database does not know are not ours."""
        repository.expire(_KEPT_ROWS)
        ended = {str(id_) for id_ in repository.without_file()}
        for path in self._files():
            if path.name[:36] in ended:
                path.unlink(missing_ok=True)

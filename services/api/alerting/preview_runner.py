"""The thread that has one preview of rules made after the other. It refuses to make one itself: the previewer does."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from datetime import timedelta
from typing import Final

from services.api.errors import PreviewFailed
from services.api.neighbours import Previewer
from services.domain.errors import Unavailable
from services.domain.sentences.problem import problem
from services.store.connection import connect
from services.store.previews import Preview, PreviewRepository

_LOG: Final = logging.getLogger("citygauge.api")
_POLL_S: Final = 10.0
_KEPT: Final = timedelta(days=30)


class PreviewRunner:
    """The thread; `hint` wakes it. Without a previewer there is none."""

    def __init__(self, url: str, previewer: Previewer | None) -> None:
        self._url, self._previewer = url, previewer
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="previews", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        if self._previewer is not None:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a preview under way is left for the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def hint(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, "citygauge-api-previews", autocommit=True) as connection:
                    repository = PreviewRepository(connection)
                    repository.forget(_KEPT)
                    while not self._stop.is_set():
                        preview = repository.take(self._worker)
                        if preview is None:
                            break
                        self._work(repository, preview)
            except Unavailable as error:
                _LOG.info("previews wait for the database retry_s=%.1f cause=%s", _POLL_S, error)
            except Exception:
                _LOG.exception("previews failed and start again retry_s=%.1f", _POLL_S)
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _work(self, repository: PreviewRepository, preview: Preview) -> None:
        assert self._previewer is not None
        _LOG.info("preview begins id=%s by=%s", preview.id, preview.asked_by)

        def report(share: float) -> bool:
            return not self._stop.is_set() and repository.beat(preview.id, self._worker, share)

        try:
            result = self._previewer.run(preview.asked, report)
        except PreviewFailed as error:
            _LOG.info("preview failed id=%s cause=%s", preview.id, error.problem)
            repository.fail(preview.id, self._worker, error.problem)
        except Unavailable:
            raise
        except Exception:
            _LOG.exception("preview failed id=%s", preview.id)
            repository.fail(preview.id, self._worker, problem("internal"))
        else:
            if result is not None:
                repository.finish(preview.id, self._worker, result)
            elif self._stop.is_set():
                repository.release(preview.id, self._worker)

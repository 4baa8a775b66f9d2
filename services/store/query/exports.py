"""Export jobs: asked for, taken by one worker at a time, reported on, and at last forgotten. The file is elsewhere.

A worker that stops reporting loses its job to the next one, which begins it anew: a restart repeats work, it never
loses a job. It refuses to let two workers write one job.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from services.domain.errors import InvalidInput, UnknownExport
from services.store.connection import Connection, transaction
from services.store.lost_jobs import let_go
from services.store.page import Page, check_limit, decode_cursor, page_of

_COLUMNS: Final[LiteralString] = (
    "id, asked, asked_by, created_at, state, progress, rows, bytes, sha256, problem, finished_at, expires_at"
)
ADD: Final[LiteralString] = f"""
    INSERT INTO export_job (id, asked, asked_by)
    SELECT %(id)s, %(asked)s, %(by)s
     WHERE (SELECT count(*) FROM export_job WHERE state IN ('waiting', 'running')) < %(most)s
    RETURNING {_COLUMNS}
"""
TAKE: Final[LiteralString] = f"""
    UPDATE export_job SET state = 'running', worker = %(worker)s, beat_at = clock_timestamp(), progress = 0,
           rows = 0, bytes = 0
     WHERE id = (SELECT id FROM export_job
                  WHERE state = 'waiting' ORDER BY created_at FOR UPDATE SKIP LOCKED LIMIT 1)
    RETURNING {_COLUMNS}
"""
BEAT: Final[LiteralString] = """
    UPDATE export_job SET beat_at = clock_timestamp(), progress = %(progress)s, rows = %(rows)s, bytes = %(bytes)s
     WHERE id = %(id)s AND state = 'running' AND worker = %(worker)s
"""
FINISH: Final[LiteralString] = """
    UPDATE export_job SET state = 'done', progress = 1, rows = %(rows)s, bytes = %(bytes)s, sha256 = %(sha256)s,
           finished_at = clock_timestamp(), expires_at = clock_timestamp() + %(keep)s
     WHERE id = %(id)s AND state = 'running' AND worker = %(worker)s
"""
FAIL: Final[LiteralString] = """
    UPDATE export_job SET state = 'failed', problem = %(problem)s, finished_at = clock_timestamp()
     WHERE id = %(id)s AND state = 'running' AND worker = %(worker)s
"""
RELEASE: Final[LiteralString] = """
    UPDATE export_job SET state = 'waiting', worker = NULL WHERE id = %s AND state = 'running' AND worker = %s
"""
CANCEL: Final[LiteralString] = """
    UPDATE export_job SET state = CASE WHEN state IN ('waiting', 'running') THEN 'cancelled' ELSE 'expired' END,
           finished_at = coalesce(finished_at, clock_timestamp()), expires_at = NULL
     WHERE id = %s AND state IN ('waiting', 'running', 'done')
"""
EXPIRE: Final[LiteralString] = """
    UPDATE export_job SET state = 'expired' WHERE state = 'done' AND expires_at < clock_timestamp()
"""
FORGET: Final[LiteralString] = """
    DELETE FROM export_job WHERE state IN ('failed', 'cancelled', 'expired')
       AND finished_at < clock_timestamp() - %s
"""
GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM export_job WHERE id = %s"
PAGE: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM export_job
     WHERE (%(created)s::timestamptz IS NULL OR (created_at, id) < (%(created)s, %(id)s::uuid))
     ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
ENDED: Final[LiteralString] = (
    "SELECT id FROM export_job WHERE state IN ('failed', 'cancelled', 'expired')"
)


class JobState(StrEnum):
    """WAITING, RUNNING: not finished. DONE: the file is there. EXPIRED: it was. FAILED, CANCELLED: it never was."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Written(NamedTuple):
    """How far a file is: share 0 to 1 of the range, rows and bytes written."""

    progress: float
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One job.

    Attributes:
        asked: the order, plain data, as it was accepted.
        progress: 0 to 1; rows, bytes: written so far.
        sha256: of the file, hexadecimal; None before it is done.
        problem: why it failed, in a sentence.
    """

    id: uuid.UUID
    asked: Mapping[str, Any]
    asked_by: str
    created_at: datetime
    state: JobState
    progress: float
    rows: int
    bytes: int
    sha256: str | None
    problem: str | None
    finished_at: datetime | None
    expires_at: datetime | None


class ExportRepository:
    """The table of export jobs, over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, asked: Mapping[str, Any], by: str, *, most: int) -> ExportJob | None:
        """A new job; None when `most` are waiting or running already."""
        parameters = {"id": uuid.uuid4(), "asked": json.dumps(asked), "by": by, "most": most}
        row = self._conn.execute(ADD, parameters).fetchone()
        return None if row is None else _job(row)

    def take(self, worker: str) -> ExportJob | None:
        """The oldest job that nobody is at, now the worker's; None when there is none."""
        with transaction(self._conn):
            let_go(self._conn, "export_job")
            row = self._conn.execute(TAKE, {"worker": worker}).fetchone()
        return None if row is None else _job(row)

    def release(self, id_: uuid.UUID, worker: str) -> None:
        """The worker stops; another one may take its job at once."""
        self._conn.execute(RELEASE, (id_, worker))

    def beat(self, id_: uuid.UUID, worker: str, written: Written) -> bool:
        """Says how far the worker is; False when the job is not its any more (cancelled, or taken by another)."""
        parameters = {"id": id_, "worker": worker, **written._asdict()}
        return self._conn.execute(BEAT, parameters).rowcount == 1

    def finish(
        self, id_: uuid.UUID, worker: str, written: Written, *, sha256: str, keep: timedelta
    ) -> bool:
        """The file is complete; False as in `beat`."""
        parameters = {"id": id_, "worker": worker, "sha256": sha256, "keep": keep}
        return self._conn.execute(FINISH, parameters | written._asdict()).rowcount == 1

    def fail(self, id_: uuid.UUID, worker: str, problem: str) -> None:
        """The job cannot be done, and will not be tried again."""
        self._conn.execute(FAIL, {"id": id_, "worker": worker, "problem": problem})

    def cancel(self, id_: uuid.UUID) -> None:
        """Nobody wants the file: an open job is cancelled, a finished one expires at once.

        Raises:
            UnknownExport: there is no such job.
        """
        self.get(id_)
        self._conn.execute(CANCEL, (id_,))

    def expire(self, forget_after: timedelta) -> None:
        """Ends the jobs whose file's time has come; those that ended long ago are forgotten altogether."""
        self._conn.execute(EXPIRE)
        self._conn.execute(FORGET, (forget_after,))

    def without_file(self) -> frozenset[uuid.UUID]:
        """Known jobs whose file nobody wants any more."""
        return frozenset(row[0] for row in self._conn.execute(ENDED).fetchall())

    def get(self, id_: uuid.UUID) -> ExportJob:
        """The job of this id. Raises UnknownExport."""
        row = self._conn.execute(GET, (id_,)).fetchone()
        if row is None:
            raise UnknownExport(str(id_))
        return _job(row)

    def page(self, *, limit: int, after: str | None = None) -> Page[ExportJob]:
        """Jobs, the newest first."""
        created, id_ = (None, None) if after is None else _place(after)
        parameters = {"limit": check_limit(limit) + 1, "created": created, "id": id_}
        rows = self._conn.execute(PAGE, parameters).fetchall()
        jobs = [_job(row) for row in rows]
        return page_of(jobs, limit, lambda job: (job.created_at.isoformat(), str(job.id)))


def _place(after: str) -> tuple[datetime, uuid.UUID]:
    created, id_ = decode_cursor(after, str, str)
    try:
        return datetime.fromisoformat(str(created)), uuid.UUID(str(id_))
    except ValueError:
        rule = "the 'next' of the page before, as it was returned"
        raise InvalidInput("after", after, rule) from None


def _job(row: Sequence[Any]) -> ExportJob:
    id_, asked, by, created_at, state, *rest = row
    return ExportJob(id_, asked, by, created_at, JobState(state), *rest)

"""Previews of rules: asked for, run one at a time, reported on, and at last forgotten.

That one runs at a time is a unique index. A worker that stops reporting loses its preview (`lost_jobs.py`) to the next
one, which begins it anew. It refuses to know what a preview compares.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString

import psycopg

from services.domain.errors import UnknownPlace, UnknownPreview, UnknownSensor
from services.store.connection import Connection, transaction
from services.store.lost_jobs import let_go
from services.store.text import storable

_COLUMNS: Final[LiteralString] = (
    "id, asked, asked_by, created_at, state, progress, result, problem, finished_at"
)
ADD: Final[LiteralString] = f"""
    INSERT INTO rule_preview (id, asked, asked_by)
    SELECT %(id)s, %(asked)s, %(by)s
     WHERE (SELECT count(*) FROM rule_preview WHERE state IN ('waiting', 'running')) < %(most)s
    RETURNING {_COLUMNS}
"""
TAKE: Final[LiteralString] = f"""
    UPDATE rule_preview SET state = 'running', worker = %s, beat_at = clock_timestamp(), progress = 0
     WHERE id = (SELECT id FROM rule_preview WHERE state = 'waiting' ORDER BY created_at, id
                  FOR UPDATE SKIP LOCKED LIMIT 1)
       AND NOT EXISTS (SELECT FROM rule_preview WHERE state = 'running')
    RETURNING {_COLUMNS}
"""
BEAT: Final[LiteralString] = """
    UPDATE rule_preview SET beat_at = clock_timestamp(), progress = %(progress)s
     WHERE id = %(id)s AND state = 'running' AND worker = %(worker)s
"""
END: Final[LiteralString] = """
    UPDATE rule_preview SET state = %(state)s, result = %(result)s, problem = %(problem)s,
           progress = CASE WHEN %(state)s = 'done' THEN 1 ELSE progress END, finished_at = clock_timestamp()
     WHERE id = %(id)s AND state = 'running' AND worker = %(worker)s
"""
RELEASE: Final[LiteralString] = """
    UPDATE rule_preview SET state = 'waiting', worker = NULL WHERE id = %s AND state = 'running' AND worker = %s
"""
CANCEL: Final[LiteralString] = """
    UPDATE rule_preview SET state = 'cancelled', finished_at = clock_timestamp()
     WHERE id = %s AND state IN ('waiting', 'running')
"""
FORGET: Final[LiteralString] = "DELETE FROM rule_preview WHERE finished_at < clock_timestamp() - %s"
GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM rule_preview WHERE id = %s"
NEWEST: Final[LiteralString] = """
    SELECT id, asked, asked_by, created_at, state, progress, NULL, problem, finished_at
      FROM rule_preview ORDER BY created_at DESC, id DESC LIMIT %s
"""
# What a day of the chosen sensors holds; where the register does not say how often a sensor speaks, the usual is taken.
EXTENT: Final[LiteralString] = """
    SELECT count(*)::bigint,
           coalesce(sum(86400 / coalesce(cadence_s, CASE domain WHEN 'traffic' THEN 60 ELSE 900 END)), 0)::float8
      FROM sensor
     WHERE (%(zone)s::text IS NULL OR zone = %(zone)s) AND (%(road)s::text IS NULL OR road = %(road)s)
       AND (%(sensor_id)s::text IS NULL OR id = %(sensor_id)s)
"""


class PreviewState(StrEnum):
    """WAITING, RUNNING: not finished. DONE: the result is there. FAILED, CANCELLED: it never will be."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview.

    Attributes:
        asked: the order as it was accepted; result: what came out; both plain data.
        progress: 0 to 1.
        problem: why it failed, in a sentence.
    """

    id: uuid.UUID
    asked: Mapping[str, Any]
    asked_by: str
    created_at: datetime
    state: PreviewState
    progress: float
    result: Mapping[str, Any] | None
    problem: str | None
    finished_at: datetime | None


def extent(
    conn: Connection, *, sensor_id: str | None, zone: str | None, road: str | None
) -> tuple[int, float]:
    """How many sensors are meant, and about how many readings they send a day.

    Raises:
        UnknownSensor, UnknownPlace: none is.
    """
    values = {
        name: None if text is None else storable(text)
        for name, text in {"sensor_id": sensor_id, "zone": zone, "road": road}.items()
    }
    row = conn.execute(EXTENT, values).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    if not row[0] and sensor_id is not None:
        raise UnknownSensor(sensor_id)
    if not row[0] and (zone is not None or road is not None):
        raise UnknownPlace("road" if zone is None else "zone", zone or road or "")
    return int(row[0]), float(row[1])


class PreviewRepository:
    """The table of previews, over one connection in autocommit mode."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, asked: Mapping[str, Any], by: str, *, most: int) -> Preview | None:
        """A new preview; None when `most` are waiting or running already."""
        values = {"id": uuid.uuid4(), "asked": json.dumps(asked), "by": storable(by), "most": most}
        row = self._conn.execute(ADD, values).fetchone()
        return None if row is None else _preview(row)

    def take(self, worker: str) -> Preview | None:
        """The oldest that waits, now the worker's; None when none does, or one runs."""
        try:
            with transaction(self._conn):
                let_go(self._conn, "rule_preview")
                row = self._conn.execute(TAKE, (worker,)).fetchone()
        except psycopg.errors.UniqueViolation:  # another worker took one at the same moment
            return None
        return None if row is None else _preview(row)

    def beat(self, id_: uuid.UUID, worker: str, progress: float) -> bool:
        """Says how far the worker is; False when the preview is not its any more."""
        values = {"id": id_, "worker": worker, "progress": progress}
        return self._conn.execute(BEAT, values).rowcount == 1

    def finish(self, id_: uuid.UUID, worker: str, result: Mapping[str, Any]) -> None:
        """The result is there."""
        self._end(id_, worker, PreviewState.DONE, json.dumps(result), None)

    def fail(self, id_: uuid.UUID, worker: str, problem: str) -> None:
        """It cannot be done, and will not be tried again."""
        self._end(id_, worker, PreviewState.FAILED, None, storable(problem))

    def _end(
        self,
        id_: uuid.UUID,
        worker: str,
        state: PreviewState,
        result: str | None,
        problem: str | None,
    ) -> None:
        values = {"id": id_, "worker": worker, "state": state.value, "result": result, "problem": problem}  # fmt: skip
        self._conn.execute(END, values)

    def release(self, id_: uuid.UUID, worker: str) -> None:
        """The worker stops; another one may begin it anew at once."""
        self._conn.execute(RELEASE, (id_, worker))

    def cancel(self, id_: uuid.UUID) -> None:
        """Nobody waits for it any more. Raises UnknownPreview."""
        self.get(id_)
        self._conn.execute(CANCEL, (id_,))

    def forget(self, after: timedelta) -> None:
        """Removes those that ended so long ago."""
        self._conn.execute(FORGET, (after,))

    def get(self, id_: uuid.UUID) -> Preview:
        """The preview of this id. Raises UnknownPreview."""
        row = self._conn.execute(GET, (id_,)).fetchone()
        if row is None:
            raise UnknownPreview(str(id_))
        return _preview(row)

    def newest(self, limit: int) -> list[Preview]:
        """The newest ones, without their results."""
        return [_preview(row) for row in self._conn.execute(NEWEST, (limit,))]


def _preview(row: Sequence[Any]) -> Preview:
    id_, asked, by, created_at, state, *rest = row
    return Preview(id_, asked, by, created_at, PreviewState(state), *rest)

"""Messages that were rejected, kept with topic, bytes, reason and time, to be looked at and replayed after a fix.

It refuses to grow without bounds: a payload is cut at KEPT_BYTES, and what was cut cannot be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

from services.domain.errors import UnknownMessage
from services.domain.rejection import Rejection, RejectReason
from services.store.connection import Connection, transaction
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.text import storable

KEPT_BYTES: Final = 65_536
_LONGEST_DETAIL: Final = 2_000

_COLUMNS: Final[LiteralString] = (
    "id, received_at, topic, payload, payload_bytes, reason, detail, sensor_id, readings, state, changed_at, changed_by"
)
ADD: Final[LiteralString] = """
    INSERT INTO rejected_message (received_at, topic, payload, payload_bytes, reason, detail, sensor_id, readings)
    VALUES (%s, %s, %b, %s, %s, %s, %s, %s)
"""
GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM rejected_message WHERE id = %s"
PAGE: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM rejected_message
     WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
       AND (%(state)s::text IS NULL OR state = %(state)s)
       AND (%(reason)s::text IS NULL OR reason = %(reason)s)
       AND (%(sensor_id)s::text IS NULL OR sensor_id = %(sensor_id)s)
     ORDER BY id DESC LIMIT %(limit)s
"""
MARK: Final[LiteralString] = """
    UPDATE rejected_message SET state = %(state)s, changed_by = %(by)s, changed_at = clock_timestamp()
     WHERE id = %(id)s
"""
DISCARD: Final[LiteralString] = """
    UPDATE rejected_message SET state = 'discarded', changed_by = %(by)s, changed_at = clock_timestamp()
     WHERE state = 'new' AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
       AND (%(reason)s::text IS NULL OR reason = %(reason)s)
       AND (%(sensor_id)s::text IS NULL OR sensor_id = %(sensor_id)s)
       AND (%(before)s::timestamptz IS NULL OR received_at < %(before)s)
"""
COUNTS: Final[LiteralString] = """
    SELECT reason, count(*)::bigint FROM rejected_message WHERE state = 'new' GROUP BY reason
"""


class MessageState(StrEnum):
    """What became of a rejected message."""

    NEW = "new"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A rejection as it is kept.

    Attributes:
        payload: the bytes, at most KEPT_BYTES of them; payload_bytes: how many there were.
        changed_at, changed_by: when and by whom the state was set.
    """

    id: int
    received_at: datetime
    topic: str
    payload: bytes
    payload_bytes: int
    reason: RejectReason
    detail: str
    sensor_id: str | None
    readings: int
    state: MessageState
    changed_at: datetime
    changed_by: str | None

    @property
    def whole(self) -> bool:
        """Whether nothing of the payload was cut, so that it can be replayed."""
        return len(self.payload) == self.payload_bytes


def add(conn: Connection, rejections: Sequence[Rejection], received_at: datetime) -> None:
    """Keeps the rejections, in the caller's transaction."""
    rows = [
        (
            received_at,
            storable(rejection.topic),
            rejection.payload[:KEPT_BYTES],
            rejection.full_size,
            rejection.reason.value,
            storable(rejection.detail)[:_LONGEST_DETAIL],
            None if rejection.sensor_id is None else storable(rejection.sensor_id),
            rejection.readings,
        )
        for rejection in rejections
    ]
    if rows:
        with transaction(conn), conn.cursor() as cursor:
            cursor.executemany(ADD, rows)


def get(conn: Connection, message_id: int) -> RejectedMessage:
    """The message of this id. Raises UnknownMessage."""
    row = conn.execute(GET, (message_id,)).fetchone()
    if row is None:
        raise UnknownMessage(message_id)
    return _message(row)


def page(
    conn: Connection,
    *,
    limit: int,
    state: MessageState | None = None,
    reason: RejectReason | None = None,
    sensor_id: str | None = None,
    after: str | None = None,
) -> Page[RejectedMessage]:
    """Rejected messages, newest first, at most `limit` (up to 1,000)."""
    rows = conn.execute(
        PAGE,
        {
            "before": None if after is None else decode_cursor(after, int)[0],
            "state": state,
            "reason": reason,
            "sensor_id": None if sensor_id is None else storable(sensor_id),
            "limit": check_limit(limit, 1_000) + 1,
        },
    ).fetchall()
    return page_of([_message(row) for row in rows], limit, lambda message: (message.id,))


def mark(conn: Connection, message_id: int, state: MessageState, by: str) -> None:
    """Notes what became of a message and who says so. Raises UnknownMessage."""
    values = {"id": message_id, "state": state.value, "by": storable(by)}
    if not conn.execute(MARK, values).rowcount:
        raise UnknownMessage(message_id)


def discard(
    conn: Connection,
    by: str,
    *,
    ids: Sequence[int] | None = None,
    reason: RejectReason | None = None,
    sensor_id: str | None = None,
    before: datetime | None = None,
) -> int:
    """Marks the waiting messages that fit everything given as of no use to anybody; returns how many there were."""
    values = {
        "by": storable(by),
        "ids": None if ids is None else list(ids),
        "reason": reason,
        "sensor_id": None if sensor_id is None else storable(sensor_id),
        "before": before,
    }
    return conn.execute(DISCARD, values).rowcount


def counts(conn: Connection) -> Mapping[RejectReason, int]:
    """Messages that nobody has dealt with, by reason."""
    return {RejectReason(reason): n for reason, n in conn.execute(COUNTS)}


def _message(row: Sequence[Any]) -> RejectedMessage:
    values = dict(zip(RejectedMessage.__dataclass_fields__, row, strict=True))
    values["reason"] = RejectReason(values["reason"])
    values["state"] = MessageState(values["state"])
    return RejectedMessage(**values)

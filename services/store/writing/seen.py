"""What the database has seen already, asked by ingest: newest times by sensor, and rejected messages that are kept.

Both answers are for marking and counting only; that nothing is stored twice is the unique index's promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.instant import to_us
from services.domain.rejection import Rejection, RejectReason
from services.store.connection import Connection
from services.store.text import storable

NEWEST: Final = sql.SQL("""
    SELECT wanted.sensor, newest.time
      FROM unnest(%s::integer[]) AS wanted (sensor)
     CROSS JOIN LATERAL (
           SELECT r.time FROM {table} AS r WHERE r.sensor = wanted.sensor ORDER BY r.time DESC LIMIT 1) AS newest
""")
# Redelivery follows soon after the first delivery: only the newest rows are compared.
KEPT: Final[LiteralString] = """
    SELECT DISTINCT wanted.ordinal
      FROM unnest(%(topics)s::text[], %(payloads)s::bytea[], %(reasons)s::text[])
           WITH ORDINALITY AS wanted (topic, payload, reason, ordinal)
      JOIN rejected_message AS r
        ON r.topic = wanted.topic AND r.payload = wanted.payload AND r.reason = wanted.reason
     WHERE r.id > (SELECT coalesce(max(id), 0) - %(recent)s FROM rejected_message)
"""
EXPLAIN_AGAIN: Final[LiteralString] = """
    UPDATE rejected_message SET reason = %s, detail = %s WHERE id = %s AND state = 'new'
"""
NEW: Final[LiteralString] = """
    SELECT id FROM rejected_message
     WHERE state = 'new' AND (%(reason)s::text IS NULL OR reason = %(reason)s)
       AND (%(sensor_id)s::text IS NULL OR sensor_id = %(sensor_id)s) AND id > %(after)s
     ORDER BY id LIMIT %(limit)s
"""
LOCK: Final[LiteralString] = "SELECT state = 'new' FROM rejected_message WHERE id = %s FOR UPDATE"
_RECENT: Final = 200_000


def newest_times(conn: Connection, domain: Domain, sensors: Sequence[int]) -> Mapping[int, int]:
    """Sensor number -> newest stored observed time, microseconds since 1970; sensors without readings are absent."""
    query = NEWEST.format(table=sql.Identifier(CATALOGUE[domain].table))
    return {number: to_us(time) for number, time in conn.execute(query, (list(sensors),))}


def kept_already(conn: Connection, rejections: Sequence[Rejection]) -> set[int]:
    """Places of the rejections that are kept already: the same topic, bytes and reason among the newest rows."""
    if not rejections:
        return set()
    values = {
        "topics": [storable(each.topic) for each in rejections],
        "payloads": [each.payload for each in rejections],
        "reasons": [each.reason.value for each in rejections],
        "recent": _RECENT,
    }
    return {ordinal - 1 for (ordinal,) in conn.execute(KEPT, values)}


def explain_again(conn: Connection, message_id: int, reason: RejectReason, detail: str) -> None:
    """Notes why a kept message was rejected again."""
    conn.execute(EXPLAIN_AGAIN, (reason.value, storable(detail)[:2_000], message_id))


def new_messages(
    conn: Connection,
    *,
    reason: RejectReason | None = None,
    sensor_id: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Sequence[int]:
    """Ids of the rejected messages that nobody has dealt with, oldest first, the cut ones among them.

    Args:
        after: only greater ids; limit: at most so many.
    """
    values = {
        "reason": None if reason is None else reason.value,
        "sensor_id": None if sensor_id is None else storable(sensor_id),
        "after": after,
        "limit": limit,
    }
    return [message_id for (message_id,) in conn.execute(NEW, values)]


def lock_new(conn: Connection, message_id: int) -> bool:
    """Locks a rejected message for the caller's transaction; whether it is there and still new."""
    row = conn.execute(LOCK, (message_id,)).fetchone()
    return row is not None and bool(row[0])

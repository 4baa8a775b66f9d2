"""A detector's checkpoint: the state of its shards at one position of the feed, to go on from after a restart.

It refuses to look into the bytes: whether they can be loaded is the detector's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from services.store.connection import Connection, transaction
from services.store.feed import Position

SAVE_POSITION: Final[LiteralString] = """
    INSERT INTO detector_checkpoint_position (consumer, epoch, xid, id, clock_us)
    VALUES (%(consumer)s, %(epoch)s, %(xid)s::text::xid8, %(id)s, %(clock_us)s)
    ON CONFLICT (consumer) DO UPDATE SET
        epoch = excluded.epoch, xid = excluded.xid, id = excluded.id, clock_us = excluded.clock_us, saved_at = now()
"""
SAVE_SHARD: Final[LiteralString] = """
    INSERT INTO detector_checkpoint (consumer, shard, state) VALUES (%s, %s, %b)
    ON CONFLICT (consumer, shard) DO UPDATE SET state = excluded.state
"""
LOAD_POSITION: Final[LiteralString] = """
    SELECT epoch, xid::text::bigint, id, clock_us, saved_at FROM detector_checkpoint_position WHERE consumer = %s
"""
LOAD_SHARDS: Final[LiteralString] = """
    SELECT shard, state FROM detector_checkpoint WHERE consumer = %s ORDER BY shard
"""
FORGET: Final[tuple[LiteralString, ...]] = (
    "DELETE FROM detector_checkpoint WHERE consumer = %s",
    "DELETE FROM detector_checkpoint_position WHERE consumer = %s",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What `save` stored.

    Attributes:
        position: every row of the feed up to it is in the states.
        clock_us: stream time of the detector, microseconds since 1970.
        saved_at: when, by the database's clock.
        states: shard -> its bytes.
    """

    position: Position
    clock_us: int
    saved_at: datetime
    states: Mapping[int, bytes]


def save(
    conn: Connection,
    consumer: str,
    position: Position,
    clock_us: int,
    states: Mapping[int, bytes],
) -> None:
    """Moves the consumer's checkpoint to `position`, in the caller's transaction.

    Shards that are not among `states` keep what was saved for them before: give all that have changed since.
    Save it before `AlertRepository.apply`, so that nobody who changes alerts waits for the bytes.
    """
    with transaction(conn), conn.cursor() as cursor:
        values = {"epoch": position.epoch, "xid": str(position.xid), "id": position.id}
        cursor.execute(SAVE_POSITION, {"consumer": consumer, "clock_us": clock_us, **values})
        cursor.executemany(
            SAVE_SHARD, [(consumer, shard, state) for shard, state in sorted(states.items())]
        )


def load(conn: Connection, consumer: str) -> Checkpoint | None:
    """The consumer's checkpoint, or None when it has none."""
    with transaction(conn):
        row = conn.execute(LOAD_POSITION, (consumer,)).fetchone()
        if row is None:
            return None
        states = {shard: bytes(state) for shard, state in conn.execute(LOAD_SHARDS, (consumer,))}
    epoch, xid, id_, clock_us, saved_at = row
    return Checkpoint(Position(epoch, xid, id_), clock_us, saved_at, states)


def forget(conn: Connection, consumer: str) -> None:
    """Removes the consumer's checkpoint; its state is rebuilt from history."""
    with transaction(conn):
        for statement in FORGET:
            conn.execute(statement, (consumer,))

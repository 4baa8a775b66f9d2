"""Who shares a subscription: which ingest workers take part, which are away, and who may give up its place.

The broker goes on queueing a share for a member that is away, and loses that share with the member's session; so
nobody may leave as the last one. It refuses to know the broker: it holds what the workers say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, LiteralString

from services.store.connection import Connection, transaction

ALIVE_S: Final = 60.0
"""A worker that has said nothing for so long is not counted on."""
MEMBERS: Final[LiteralString] = """
    SELECT worker, state, subscription, started_at, seen_at, in_flight,
           extract(epoch FROM clock_timestamp() - seen_at)::float8
      FROM ingest_worker ORDER BY worker
"""
JOIN: Final[LiteralString] = """
    INSERT INTO ingest_worker (worker, started_at, seen_at, in_flight, subscription)
    VALUES (%(worker)s, clock_timestamp(), clock_timestamp(), 0, %(subscription)s)
    ON CONFLICT (worker) DO UPDATE SET started_at = excluded.started_at, seen_at = excluded.seen_at,
        subscription = excluded.subscription, state = 'working'
"""
STOP: Final[LiteralString] = """
    UPDATE ingest_worker SET state = 'stopped', in_flight = %s, seen_at = clock_timestamp() WHERE worker = %s
"""
# One at a time: two that leave together must not count on each other.
TURN: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('citygauge leave', 3))"
OTHERS: Final[LiteralString] = """
    SELECT count(*) FROM ingest_worker
     WHERE worker <> %(worker)s AND subscription = %(subscription)s AND state = 'working'
       AND seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)
"""
# For as long as the connection lasts: two that drain one session would take it from each other.
CLAIM: Final[LiteralString] = """
    SELECT pg_try_advisory_lock(hashtextextended('citygauge forget ' || %s, 3))
"""
LEAVING: Final[LiteralString] = "UPDATE ingest_worker SET state = 'leaving' WHERE worker = %s"


class State(StrEnum):
    """WORKING: takes its share. STOPPED: the broker keeps its share for it. LEAVING: it has none, and drains."""

    WORKING = "working"
    STOPPED = "stopped"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that has not left; silent_s: seconds since it last said anything; in_flight: messages that it held.

    Attributes:
        subscription: what it shares with others; None for one of an earlier version.
    """

    name: str
    state: State
    subscription: str | None
    started_at: datetime
    seen_at: datetime
    in_flight: int
    silent_s: float

    @property
    def away(self) -> bool:
        """Whether its share waits at the broker."""
        return self.state is not State.WORKING or self.silent_s > ALIVE_S


def join(conn: Connection, worker: str, subscription: str) -> None:
    """Says that the worker takes part from now on."""
    conn.execute(JOIN, {"worker": worker, "subscription": subscription})


def stop(conn: Connection, worker: str, held: int) -> None:
    """Says that the worker has stopped and that its session stays; `held` messages are acknowledged and put by."""
    conn.execute(STOP, (held, worker))


def begin_leaving(conn: Connection, worker: str, subscription: str) -> bool:
    """Gives up the worker's place; False, and nothing is changed, where no other worker is there to take its share.

    Two workers that leave at the same moment are told one after the other: the second one may find itself alone.
    """
    with transaction(conn):
        conn.execute(TURN)
        values = {"worker": worker, "subscription": subscription, "alive_s": ALIVE_S}
        row = conn.execute(OTHERS, values).fetchone()
        if row is None or not row[0]:
            return False
        conn.execute(LEAVING, (worker,))
    return True


def claim(conn: Connection, worker: str) -> bool:
    """Becomes the one who ends the session of `worker`, until the connection ends; False where somebody else is."""
    row = conn.execute(CLAIM, (worker,)).fetchone()
    return row is not None and bool(row[0])


def members(conn: Connection) -> Sequence[Member]:
    """Every worker that has not left, by name."""
    return [Member(row[0], State(row[1]), *row[2:]) for row in conn.execute(MEMBERS)]

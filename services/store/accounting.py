"""The account of readings: received = stored + duplicate + rejected + in flight, for a person to see at any moment.

Counts are added in the transaction that stores what they count, and the database refuses a line that does not
balance; what a worker holds and has not committed is in flight, told by its heartbeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from services.store.connection import Connection

ADD: Final[LiteralString] = """
    INSERT INTO ingest_account AS a (worker, hour, received, messages, stored, merged, duplicate, conflicting, rejected,
                                     late, revised)
    VALUES (%(worker)s, date_trunc('hour', now(), 'UTC'), %(received)s, %(messages)s, %(stored)s, %(merged)s,
            %(duplicate)s, %(conflicting)s, %(rejected)s, %(late)s, %(revised)s)
    ON CONFLICT (worker, hour) DO UPDATE SET
        received = a.received + excluded.received, messages = a.messages + excluded.messages,
        stored = a.stored + excluded.stored, merged = a.merged + excluded.merged,
        duplicate = a.duplicate + excluded.duplicate, conflicting = a.conflicting + excluded.conflicting,
        rejected = a.rejected + excluded.rejected, late = a.late + excluded.late,
        revised = a.revised + excluded.revised
"""
HEARTBEAT: Final[LiteralString] = """
    INSERT INTO ingest_worker (worker, started_at, seen_at, in_flight)
    VALUES (%(worker)s, clock_timestamp(), clock_timestamp(), %(in_flight)s)
    ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at, in_flight = excluded.in_flight
"""
LEAVE: Final[LiteralString] = "DELETE FROM ingest_worker WHERE worker = %s"
WORKERS: Final[LiteralString] = """
    SELECT worker, started_at, seen_at, in_flight, extract(epoch FROM clock_timestamp() - seen_at)::float8
      FROM ingest_worker WHERE state = 'working' ORDER BY worker
"""
# One statement, one snapshot: the parts of the sum belong to the same moment.
TOTALS: Final[LiteralString] = """
    SELECT coalesce(sum(received), 0)::bigint, coalesce(sum(messages), 0)::bigint, coalesce(sum(stored), 0)::bigint,
           coalesce(sum(merged), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
           coalesce(sum(conflicting), 0)::bigint, coalesce(sum(rejected), 0)::bigint,
           coalesce(sum(late), 0)::bigint,
           (SELECT coalesce(sum(in_flight), 0)::bigint FROM ingest_worker
             WHERE seen_at > clock_timestamp() - make_interval(secs => %(alive_s)s)),
           coalesce(sum(revised), 0)::bigint
      FROM ingest_account WHERE %(since)s::timestamptz IS NULL OR hour >= date_trunc('hour', %(since)s, 'UTC')
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one transaction of a worker did: received = stored + duplicate + rejected, in readings.

    Attributes:
        messages: MQTT messages that the readings came in.
        stored: readings that brought something, inserted, merged and revised.
        merged, revised: of them, those that completed a row, and those that replaced a value of it.
        conflicting: readings with another value than the one that is stored.
        late: stored readings with the LATE bit.
    """

    received: int = 0
    messages: int = 0
    stored: int = 0
    merged: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    late: int = 0
    revised: int = 0

    def __post_init__(self) -> None:
        if self.received != self.stored + self.duplicate + self.rejected:
            raise ValueError(f"the counts do not balance: {self}")


@dataclass(frozen=True, slots=True)
class Account:
    """The counts of all workers since a time, and what is in flight now; `received` includes what is in flight."""

    received: int
    messages: int
    stored: int
    merged: int
    duplicate: int
    conflicting: int
    rejected: int
    late: int
    in_flight: int
    revised: int = 0


@dataclass(frozen=True, slots=True)
class Worker:
    """An ingest worker: silent_s seconds since its last heartbeat, in_flight readings that it then held."""

    name: str
    started_at: datetime
    seen_at: datetime
    in_flight: int
    silent_s: float


def add(conn: Connection, worker: str, counts: Counts) -> None:
    """Adds to the worker's line of this hour, in the transaction that stores what is counted."""
    conn.execute(ADD, values(worker, counts))


def values(worker: str, counts: Counts) -> dict[str, object]:
    """What the statement ADD takes."""
    return {"worker": worker, **{name: getattr(counts, name) for name in Counts.__slots__}}


def heartbeat(conn: Connection, worker: str, in_flight: int) -> None:
    """Says that the worker lives and how many readings it holds that are not committed."""
    conn.execute(HEARTBEAT, {"worker": worker, "in_flight": in_flight})


def leave(conn: Connection, worker: str) -> None:
    """Says that the worker has stopped; what it held goes back to the broker. Its counts stay."""
    conn.execute(LEAVE, (worker,))


def workers(conn: Connection) -> Sequence[Worker]:
    """Every worker that works, by name."""
    return [Worker(*row) for row in conn.execute(WORKERS)]


def totals(conn: Connection, since: datetime | None = None, *, alive_s: float = 60.0) -> Account:
    """The account since the hour of `since` (None: ever).

    A worker that has been silent for longer than `alive_s` seconds holds nothing any more: the broker gives its
    messages to another one.
    """
    row = conn.execute(TOTALS, {"since": since, "alive_s": alive_s}).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"
    received, in_flight = row[0], row[-2]
    return Account(received + in_flight, *row[1:])

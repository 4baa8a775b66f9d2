"""Keeps the database from growing without end: old chunks, old feed, what is settled. It decides nothing by itself.

Every step is a transaction of its own that gives up rather than make ingest wait for a lock: it is tried again the
next time. Where the edition cannot compress, that is said, and everything else is done. It refuses to remove what
somebody still needs: feed that a consumer has not read, messages that nobody has dealt with, deliveries to be made or
by which it is known who was told of something that goes on, published messages of an event that is in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, LiteralString

from psycopg import sql
from psycopg.errors import LockNotAvailable

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import Conflict
from services.store import feed
from services.store.connection import Connection, DatabaseUnavailable, transaction
from services.store.edition import Edition, edition
from services.store.maintain_settings import MaintainSettings
from services.store.rollups import rollup, rollup_rows

_LOCK: Final[LiteralString] = (
    "SELECT pg_try_advisory_lock(hashtextextended('citygauge maintain', 1))"
)
_UNLOCK: Final[LiteralString] = (
    "SELECT pg_advisory_unlock(hashtextextended('citygauge maintain', 1))"
)
_PATIENCE: Final[LiteralString] = "SET LOCAL lock_timeout = '3s'"
_BATCH: Final = 5_000
CHUNKS: Final[LiteralString] = """
    SELECT format('%%I.%%I', c.chunk_schema, c.chunk_name), c.range_start, c.range_end, c.is_compressed,
           coalesce(d.total_bytes, 0)::bigint
      FROM timescaledb_information.chunks AS c
      LEFT JOIN chunks_detailed_size(%(table)s::text::regclass) AS d USING (chunk_schema, chunk_name)
     WHERE c.hypertable_schema = 'public' AND c.hypertable_name = %(table)s::text
     ORDER BY c.range_start
"""
DROP: Final[LiteralString] = (
    "SELECT drop_chunks(%(table)s::text::regclass, older_than => %(before)s)"
)
# Order and segments follow the unique index, so that a late reading is compared with its own sensor's rows alone.
COMPRESSIBLE = sql.SQL("""
    ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = 'sensor',
                             timescaledb.compress_orderby = 'time')
""")
IS_COMPRESSIBLE: Final[LiteralString] = """
    SELECT compression_enabled FROM timescaledb_information.hypertables
     WHERE hypertable_schema = 'public' AND hypertable_name = %s::text
"""
COMPRESS: Final[LiteralString] = (
    "SELECT compress_chunk(%s::text::regclass, if_not_compressed => true)"
)
RESOLVED: Final[LiteralString] = """
    DELETE FROM rejected_message WHERE id IN (
        SELECT id FROM rejected_message WHERE state <> 'new' AND changed_at < %(before)s LIMIT %(limit)s)
"""
RESOLVED_COUNT: Final[LiteralString] = """
    SELECT count(*)::bigint FROM rejected_message WHERE state <> 'new' AND changed_at < %(before)s
"""
# Who was told that something began is told of its end: as long as anything of the event is open, it is remembered.
_DELIVERED: Final[LiteralString] = """
      FROM outbox AS o WHERE o.routed_at < %(before)s AND NOT EXISTS (
           SELECT FROM delivery AS d WHERE d.event_id = o.event_id
              AND (coalesce(d.sent_at, d.given_up_at) IS NULL OR coalesce(d.sent_at, d.given_up_at) >= %(before)s))
       AND NOT EXISTS (
           SELECT FROM alert_event AS e JOIN alert AS own ON own.id = e.alert_id
             JOIN alert AS a ON a.group_id = own.group_id
            WHERE e.id = o.event_id AND a.cleared_at IS NULL AND a.resolved_at IS NULL)
"""
DELIVERED: Final[LiteralString] = f"""
    WITH done AS (DELETE FROM outbox WHERE event_id IN (SELECT o.event_id {_DELIVERED} LIMIT %(limit)s)
                  RETURNING event_id),
         gone AS (DELETE FROM delivery WHERE event_id IN (SELECT event_id FROM done))
    SELECT count(*)::bigint FROM done
"""
DELIVERED_COUNT: Final[LiteralString] = f"SELECT count(*)::bigint {_DELIVERED}"
# A later message refers to the earlier ones of its chain: a chain goes as a whole, when its last message has expired.
_PUBLISHED: Final[LiteralString] = """
      FROM cap_message AS m WHERE m.expires < %(before)s AND NOT EXISTS (
           SELECT FROM cap_message AS n WHERE n.feed = m.feed AND n.chain = m.chain AND n.expires >= %(before)s)
"""
PUBLISHED: Final[LiteralString] = f"""
    DELETE FROM cap_message WHERE position IN (
        SELECT m.position {_PUBLISHED} ORDER BY m.position LIMIT %(limit)s)
"""
PUBLISHED_COUNT: Final[LiteralString] = f"SELECT count(*)::bigint {_PUBLISHED}"
REVISIONS: Final[LiteralString] = (
    "DELETE FROM reading_revision WHERE domain = %(domain)s AND time < %(before)s"
)


class Step(StrEnum):
    """What maintenance can do."""

    DROP = "drop"
    COMPRESS = "compress"
    FEED = "feed"
    RESOLVED = "rejected"
    DELIVERED = "delivered"
    PUBLISHED = "published"
    ROLL = "roll"


_OF: Final = {
    Step.RESOLVED: "messages",
    Step.DELIVERED: "deliveries",
    Step.PUBLISHED: "CAP messages",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What one step did, or would do.

    Attributes:
        count: chunks or rows; freed_bytes: of the disk, as far as it is known.
        why_not: why it could not be done, "" where it was.
    """

    step: Step
    of: str
    count: int = 0
    freed_bytes: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a domain's readings: from start up to (not including) end; size_bytes with its indexes."""

    name: str
    start: datetime
    end: datetime
    compressed: bool
    size_bytes: int


def chunks(conn: Connection, domain: Domain) -> list[Chunk]:
    """The pieces of a domain's readings, the oldest first."""
    return [Chunk(*row) for row in conn.execute(CHUNKS, {"table": CATALOGUE[domain].table})]


def maintain(
    conn: Connection, settings: MaintainSettings, now: datetime, *, dry_run: bool
) -> Iterator[Done]:
    """Does every step that the settings ask for, on a connection in autocommit mode; with `dry_run` counts only.

    Yields nothing where another maintenance is at work.
    """
    if not conn.execute(_LOCK).fetchone()[0]:  # type: ignore[index]
        return
    try:
        for domain, days in settings.retention_days.items():
            yield _drop(conn, domain, now - timedelta(days=days), dry_run=dry_run)
        for domain, days in settings.compress_after_days.items():
            yield from _compress(conn, domain, now - timedelta(days=days), dry_run=dry_run)
        if not dry_run:
            yield _prune_feed(conn, timedelta(days=settings.keep_feed_days), now)
        resolved = now - timedelta(days=settings.keep_resolved_days)
        yield _remove(conn, Step.RESOLVED, RESOLVED, RESOLVED_COUNT, resolved, dry_run=dry_run)
        delivered = now - timedelta(days=settings.keep_delivered_days)
        yield _remove(conn, Step.DELIVERED, DELIVERED, DELIVERED_COUNT, delivered, dry_run=dry_run)
        yield _remove(conn, Step.PUBLISHED, PUBLISHED, PUBLISHED_COUNT, delivered, dry_run=dry_run)
        if not dry_run:
            yield _roll(conn, now)
    finally:
        if not conn.closed:
            conn.execute(_UNLOCK)


def _drop(conn: Connection, domain: Domain, before: datetime, *, dry_run: bool) -> Done:
    old = [each for each in chunks(conn, domain) if each.end <= before]
    size = sum(each.size_bytes for each in old)
    if not old or dry_run:
        return Done(Step.DROP, domain.value, len(old), size)
    try:
        with transaction(conn):
            conn.execute(_PATIENCE)
            values = {"table": CATALOGUE[domain].table, "before": before}
            dropped = len(conn.execute(DROP, values).fetchall())
            gone = max(each.end for each in old)
            rollup_rows.drop(conn, domain, gone)
            conn.execute(REVISIONS, {"domain": domain.value, "before": gone})
    except (DatabaseUnavailable, LockNotAvailable) as error:
        return Done(Step.DROP, domain.value, why_not=_reason(error))
    return Done(Step.DROP, domain.value, dropped, size)


def _compress(
    conn: Connection, domain: Domain, before: datetime, *, dry_run: bool
) -> Iterator[Done]:
    if edition(conn) is not Edition.COMMUNITY:
        why = "this is the Apache edition of TimescaleDB, which does not compress"
        yield Done(Step.COMPRESS, domain.value, why_not=why)
        return
    old = [each for each in chunks(conn, domain) if each.end <= before]
    fresh = [each for each in old if not each.compressed]
    if dry_run or not old:
        yield Done(Step.COMPRESS, domain.value, len(fresh))
        return
    table = CATALOGUE[domain].table
    done = freed = 0
    problem = ""
    try:
        with transaction(conn):
            conn.execute(_PATIENCE)
            if not conn.execute(IS_COMPRESSIBLE, (table,)).fetchone()[0]:  # type: ignore[index]
                conn.execute(COMPRESSIBLE.format(table=sql.Identifier(table)))
        for each in old:  # those that are compressed too: what came late is folded in
            with transaction(conn):
                conn.execute(_PATIENCE)
                conn.execute(COMPRESS, (each.name,))
            done += not each.compressed
    except (DatabaseUnavailable, LockNotAvailable) as error:
        problem = _reason(error)
    after = {each.name: each.size_bytes for each in chunks(conn, domain)}
    freed = sum(each.size_bytes - after.get(each.name, 0) for each in old)
    yield Done(Step.COMPRESS, domain.value, done, max(0, freed), problem)


def _prune_feed(conn: Connection, keep: timedelta, now: datetime) -> Done:
    removed = 0
    while True:
        with transaction(conn):
            count = feed.prune(conn, keep, now, limit=_BATCH)
        removed += count
        if not count:
            return Done(Step.FEED, "batches", removed)


def _roll(conn: Connection, now: datetime) -> Done:
    """Everything that waits to be rolled up, unless another process is at it."""
    keeper, hours = rollup.Rollups(conn), 0
    if keeper.claim():
        try:
            while (work := keeper.round(now)).any:
                hours += work.hours
        except Conflict as error:
            return Done(Step.ROLL, "hours", hours, why_not=_reason(error))
        finally:
            keeper.release()
    return Done(Step.ROLL, "hours", hours)


def _remove(
    conn: Connection,
    step: Step,
    delete: LiteralString,
    count: LiteralString,
    before: datetime,
    *,
    dry_run: bool,
) -> Done:
    of = _OF[step]
    if dry_run:
        row = conn.execute(count, {"before": before}).fetchone()
        assert row is not None
        return Done(step, of, row[0])
    removed = 0
    while True:
        with transaction(conn):
            cursor = conn.execute(delete, {"before": before, "limit": _BATCH})
            row = cursor.fetchone() if cursor.description else None
            batch = cursor.rowcount if row is None else row[0]
        removed += batch
        if batch < _BATCH:
            return Done(step, of, removed)


def _reason(error: Exception) -> str:
    return f"not now, next time: {str(error).strip().splitlines()[0]}"

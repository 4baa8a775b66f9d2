"""Everything that Citygauge holds besides readings, for whoever leaves with it: tables, row by row, as JSON.

A table is here, or among those that hold nothing of the city's: a test asks that each is one of them. It refuses to
hand out what opens doors: keys are not among the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, LiteralString

from psycopg import IsolationLevel, sql

from services.domain.catalogue import CATALOGUE
from services.store.connection import Connection, connect, translated

TABLES: Final[Mapping[str, LiteralString]] = {
    "sensor": "number",
    "quarantined_sensor": "id",
    "reading_revision": "sensor, time",
    "rejected_message": "id",
    "ingest_account": "worker, hour",
    "alert": "raised_at, id",
    "alert_event": "position",
    "suppression": "id",
    "suppression_event": "position",
    "delivery": "event_id, channel, round",
    "delivery_attempt": "event_id, channel, round, attempt",
    "cap_message": "position",
}
"""Table -> the order of its rows. The readings of each domain are asked for as history is."""
LEFT_BEHIND: Final = frozenset(
    {
        "api_key",
        "batch_feed",
        "detector_checkpoint",
        "detector_checkpoint_position",
        "export_job",
        "feed_position",
        "feed_pruned",
        "ingest_worker",
        "outbox",
        "rule_preview",
    }
)
"""Where the services keep their own place in their work, what can be made again, and keys: of no use anywhere else."""
READINGS: Final = frozenset(each.table for each in CATALOGUE.values())

_LINES: Final = sql.SQL(
    "SELECT row_to_json(t)::text FROM (SELECT * FROM {table} ORDER BY {order}) t"
)
_AT_ONCE: Final = 5_000
_LONGEST_PAUSE_S: Final = 3600.0


@contextmanager
def one_moment(url: str) -> Iterator[Connection]:
    """A connection that sees the database as it is now for as long as it is open, and changes nothing.

    It writes nothing, so the detectors' feed does not wait for it.
    """
    name = "citygauge-takeout"
    with connect(url, name, autocommit=True, idle_in_transaction_s=_LONGEST_PAUSE_S) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            yield connection


def lines(connection: Connection, table: str) -> Iterator[str]:
    """The table's rows, each a JSON object by column; for a connection inside a transaction."""
    query = _LINES.format(table=sql.Identifier(table), order=sql.SQL(TABLES[table]))
    with translated(), connection.cursor(name=f"takeout_{table}") as cursor:
        cursor.itersize = _AT_ONCE
        for (text,) in cursor.execute(query):
            yield text

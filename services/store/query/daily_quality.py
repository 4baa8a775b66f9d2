"""How many readings each sensor sent on each local day, and how many of them were valid and in time.

It counts what is stored, from the readings themselves; what should have come is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from psycopg import sql

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.quality import Quality
from services.store.connection import Connection

_DAYS: Final = sql.SQL("""
    SELECT s.id, (r.time AT TIME ZONE s.time_zone)::date, count(*),
           count(*) FILTER (WHERE r.quality & %(invalid)s = 0), count(*) FILTER (WHERE r.quality & %(late)s = 0),
           extract(epoch FROM max(r.received_at - r.time))::float8
      FROM {table} AS r JOIN sensor AS s ON s.number = r.sensor
     WHERE s.id = ANY(%(ids)s) AND r.time >= %(start)s AND r.time < %(end)s
     GROUP BY 1, 2
""")
_FIRST: Final = sql.SQL("""
    SELECT s.id, first.time FROM sensor AS s
     CROSS JOIN LATERAL (SELECT r.time FROM {table} AS r WHERE r.sensor = s.number ORDER BY r.time LIMIT 1) AS first
     WHERE s.id = ANY(%(ids)s)
""")
_NEWEST: Final = sql.SQL("""
    SELECT max(newest.time) FROM sensor AS s
     CROSS JOIN LATERAL (
           SELECT r.time FROM {table} AS r WHERE r.sensor = s.number ORDER BY r.time DESC LIMIT 1) AS newest
     WHERE s.id = ANY(%(ids)s)
""")
INVALID: Final = int(Quality.IMPLAUSIBLE | Quality.SUSPECT_CLOCK)


@dataclass(frozen=True, slots=True)
class DayCount:
    """One sensor's readings of one local day.

    Attributes:
        received: stored readings; valid: those neither implausible nor of a suspect clock; timely: those not late.
        longest_delay_s: from the device's time to our receipt, the worst of the day.
    """

    received: int
    valid: int
    timely: int
    longest_delay_s: float


def counts(
    conn: Connection, ids: Sequence[str], start: datetime, end: datetime
) -> Mapping[tuple[str, date], DayCount]:
    """Counts by (sensor, local day) of readings with start <= time < end; a day without readings is not there."""
    wanted = {
        "ids": list(ids), "start": start, "end": end,
        "invalid": INVALID, "late": int(Quality.LATE),
    }  # fmt: skip
    return {
        (row[0], row[1]): DayCount(*row[2:])
        for domain in CATALOGUE
        for row in conn.execute(_DAYS.format(table=_table(domain)), wanted)
    }


def first(conn: Connection, ids: Sequence[str]) -> Mapping[str, datetime]:
    """When each sensor's first stored reading was made; a sensor that never sent one is not there."""
    return {
        row[0]: row[1]
        for domain in CATALOGUE
        for row in conn.execute(_FIRST.format(table=_table(domain)), {"ids": list(ids)})
    }


def newest(conn: Connection, ids: Sequence[str]) -> datetime | None:
    """When the newest reading of any of the sensors was made; None where none of them ever sent one."""
    found = [
        row[0]
        for domain in CATALOGUE
        for row in conn.execute(_NEWEST.format(table=_table(domain)), {"ids": list(ids)})
    ]
    return max((time for time in found if time is not None), default=None)


def _table(domain: Domain) -> sql.Identifier:
    return sql.Identifier(CATALOGUE[domain].table)

"""What a run finds in the database: the tables of the comparison, their readings, and when those were committed.

PostgreSQL keeps the time of each commit (track_commit_timestamp), so no pipeline writes a clock of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from benchmarks.payloads import FIRST_VALUE, PROBE, sensor_id
from benchmarks.peers.pipelines import Table
from services.domain.catalogue import SensorKind
from services.domain.instant import from_us
from services.domain.sensor import Sensor
from services.store.connection import connect
from services.store.migrations import migrate
from services.store.sensors import SensorRepository

SERVER_SETTINGS: Final[Mapping[str, str]] = {"track_commit_timestamp": "on", "autovacuum": "off"}
"""Of the embedded server: commit times; and no vacuum of one pipeline's rows during the next one's run."""

_PEERS: Final = """
CREATE TABLE reading (time timestamptz NOT NULL, sensor text NOT NULL, value float8 NOT NULL);
SELECT create_hypertable('reading', by_range('time', interval '7 days'), create_default_indexes => false);
CREATE UNIQUE INDEX reading_key ON reading (sensor, time);
CREATE TABLE numbered_reading (time timestamptz NOT NULL, sensor integer NOT NULL, value float8 NOT NULL);
SELECT create_hypertable('numbered_reading', by_range('time', interval '7 days'),
                         create_default_indexes => false);
CREATE UNIQUE INDEX numbered_reading_key ON numbered_reading (sensor, time);
"""
_VALUE: Final[Mapping[Table, str]] = {
    Table.NARROW: "value",
    Table.NUMBERED: "value",
    Table.WATER: "register_litres",
}
_SENSOR: Final[Mapping[Table, str]] = {
    Table.NARROW: "%(id)s",
    Table.NUMBERED: "%(number)s::integer",
    Table.WATER: "(SELECT number FROM sensor WHERE id = %(id)s)",
}
_LAST: Final = "SELECT EXISTS (SELECT FROM {table} WHERE sensor = {sensor} AND time = %(time)s)"
_COUNT: Final = "SELECT count(*) FROM {table} WHERE {value} >= %(first)s"
_PROBED: Final = "SELECT EXISTS (SELECT FROM {table} WHERE {value} = 1)"
_FACTS: Final = """
    SELECT count(*), count(DISTINCT value), max(committed),
           percentile_cont(ARRAY[.5, .99]) WITHIN GROUP (ORDER BY extract(epoch FROM committed - time) * 1e3)
      FROM (SELECT {value} AS value, time, pg_xact_commit_timestamp(xmin) AS committed
              FROM {table} WHERE {value} >= %(first)s) AS r
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table holds after a run.

    Attributes:
        readings: rows; distinct: different readings among them.
        last_commit_us: microseconds since 1970, of the commit of the last one.
        lag_p50_ms, lag_p99_ms: from publishing to commit.
    """

    readings: int
    distinct: int
    last_commit_us: int
    lag_p50_ms: float
    lag_p99_ms: float


def prepare(url: str, sensors: int) -> None:
    """Make every table and register the sensors: the template of each run's database."""
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(_PEERS)
    names = [PROBE, *map(sensor_id, range(sensors))]
    with connect(url, "benchmark") as connection:
        SensorRepository(connection).upsert(
            [Sensor(name, SensorKind.WATER_METER) for name in names]
        )


class Observer:
    """A connection that looks at one table; its own cost is not the pipeline's."""

    def __init__(self, url: str, table: Table) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._table = table
        self.pid = self._connection.info.backend_pid

    def probed(self) -> bool:
        """Whether the probe has arrived."""
        return bool(self._one(_PROBED)[0])

    def has(self, number: int, time_us: int) -> bool:
        """Whether the reading of sensor `number` at a time is there."""
        return bool(self._one(_LAST, number, time_us)[0])

    def count(self, first_value: int) -> int:
        """Readings so far with a value from `first_value` on."""
        return int(self._one(_COUNT, first_value=first_value)[0])

    def facts(self) -> Stored:
        """Everything about the run; needs at least one reading."""
        readings, distinct, last, lags = self._one(_FACTS)
        return Stored(readings, distinct, int(last.timestamp() * 1e6), *map(float, lags))

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _one(
        self, query: str, number: int = 0, time_us: int = 0, first_value: int = FIRST_VALUE
    ) -> tuple[Any, ...]:
        text = query.format(
            table=self._table, value=_VALUE[self._table], sensor=_SENSOR[self._table]
        )
        parameters = {
            "first": first_value,
            "id": sensor_id(number),
            "number": int(sensor_id(number)[1:], 36),
            "time": from_us(time_us),
        }
        row = self._connection.execute(text.encode(), parameters).fetchone()
        assert row is not None
        return row

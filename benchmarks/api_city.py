"""The readings that the API is measured on: meters by the hour, traffic stations by the minute; loaded, not measured.

Written by binary COPY in the order of time, as ingest would over months, and rolled up by the product's own keeper.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np
from psycopg import sql

from benchmarks.api_kept import Kept
from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain, SensorKind
from services.domain.instant import DAY_US, HOUR_US, from_us, isoformat, to_us
from services.domain.sensor import Sensor
from services.store import feed
from services.store.connection import Connection, transaction
from services.store.rollups.rollup import Rollups
from services.store.sensors import SensorRepository
from services.store.wire import copy_stream
from services.store.writing.readings import COPY, ReadingWriter

METERS, STATIONS, CORRIDOR = 10_000, 1_000, 40
END_US = to_us(datetime(2026, 6, 1, tzinfo=UTC))
"""A Monday; the newest readings are of the minute before."""
MINUTE_US = HOUR_US // 60
_TOLD_SHARE, _TOLD_S = 0.05, 30.0
"""How often progress is printed: by share of the load, by seconds of the rolling up."""
GENERATION = 1
"""Of the made readings: a kept database with others is not used."""
ROAD, DIRECTION = "M-30", "north"


@dataclass(frozen=True)
class City:
    """How much there is.

    Attributes:
        station_days: days of each traffic station; year_stations: how many of them have a whole year.
        meter_days: days of each meter.
    """

    station_days: int
    year_stations: int
    meter_days: int

    @property
    def readings(self) -> int:
        """All of them."""
        stations = STATIONS - self.year_stations
        minutes = stations * self.station_days + self.year_stations * 365
        return minutes * 1440 + METERS * self.meter_days * 24

    @property
    def fingerprint(self) -> dict[str, object]:
        """All that its readings depend on."""
        return {**asdict(self), "generation": GENERATION, "end": isoformat(END_US)}


def city_of(rows: int) -> City:
    """The city of about so many readings, at least 2.2 million: a day of each, and a year of one station."""
    days, years = (5, 10) if rows >= 15_000_000 else (1, 1)
    city = City(days, years, 1)
    more = (rows - city.readings) // (METERS * 24)
    return City(days, years, 1 + int(np.clip(more, 0, 364)))


def sensors() -> list[Sensor]:
    """Stations first, the corridor's at their head, 500 m apart; then the meters."""
    stations = [
        Sensor(
            f"T-{n:05}",
            SensorKind.TRAFFIC_STATION,
            cadence_s=60.0,
            road=ROAD if n < CORRIDOR else f"R-{n // 20}",
            direction=DIRECTION,
            position_m=500.0 * n if n < CORRIDOR else 500.0 * (n % 20),
            time_zone="Europe/Madrid",
        )
        for n in range(STATIONS)
    ]
    meters = [
        Sensor(
            f"W-{n:05}", SensorKind.WATER_METER, cadence_s=3600.0, zone=f"Z-{n // 500}", time_zone="Europe/Madrid"
        )
        for n in range(METERS)
    ]  # fmt: skip
    return stations + meters


def load(conn: Connection, city: City, kept: Kept) -> None:
    """Write what is missing of the city into a migrated database."""
    if kept.progress().loaded:
        return
    repository = SensorRepository(conn)
    repository.upsert(sensors()[:STATIONS])
    repository.upsert(sensors()[STATIONS:])
    _copy(conn, city, kept)
    with transaction(conn):
        for domain, first, number in (
            (Domain.TRAFFIC, 1, STATIONS),
            (Domain.WATER, STATIONS + 1, METERS),
        ):
            at = np.array([END_US - MINUTE_US])
            newest = _rows(domain, np.arange(first, first + number), at, 9)
            ReadingWriter(conn).write(newest)
            feed.append(conn, newest)
        kept.loaded()
    conn.execute("ANALYZE")


def _copy(conn: Connection, city: City, kept: Kept) -> None:
    """The batches that are not in yet, each with its mark in one transaction."""
    begun = kept.progress().batches
    told = written = 0
    began = time.perf_counter()
    for batch in islice(batches(city), begun, None):
        statement = COPY.format(
            table=sql.Identifier(CATALOGUE[batch.domain].table),
            metrics=sql.SQL(", ").join(map(sql.Identifier, batch.metrics)),
        )
        stream, began_one = copy_stream(batch), time.perf_counter()
        with transaction(conn):
            with conn.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(stream)
            kept.batch(time.perf_counter() - began_one)
        written += len(batch)
        if written >= told + _TOLD_SHARE * city.readings:
            told = written
            rate = written / (time.perf_counter() - began)
            print(
                f"  loading: {isoformat(int(batch.observed_us[0]))}, {rate:,.0f} readings/s",
                flush=True,
            )


def roll_up(conn: Connection, kept: Kept) -> None:
    """Let the keeper do all that it finds."""
    if kept.progress().rolled:
        return
    keeper = Rollups(conn)
    keeper.claim()
    rounds, told = 0, time.perf_counter()
    while keeper.round(from_us(END_US) + timedelta(hours=2)).any:
        rounds += 1
        if (spent := time.perf_counter() - told) >= _TOLD_S:
            kept.rolled(spent, complete=False)
            told += spent
            print(f"  rolling up: {rounds:,} rounds, {kept.progress().roll_s:,.0f} s", flush=True)
    keeper.release()
    conn.execute("ANALYZE")
    kept.rolled(time.perf_counter() - told, complete=True)


def batches(city: City) -> Iterator[ReadingBatch]:
    """Day after day, so that chunks fill as they would."""
    years = np.arange(1, city.year_stations + 1)
    stations = np.arange(city.year_stations + 1, STATIONS + 1)
    meters = np.arange(STATIONS + 1, STATIONS + METERS + 1)
    for back in range(365, 0, -1):
        day = END_US - back * DAY_US
        for quarter in range(4):
            minutes = day + (quarter * 360 + np.arange(360)) * MINUTE_US
            speaking = np.concatenate([years, stations]) if back <= city.station_days else years
            yield _rows(Domain.TRAFFIC, speaking, minutes, back * 4 + quarter)
        if back <= city.meter_days:
            yield _rows(Domain.WATER, meters, day + np.arange(24) * HOUR_US + 30_000_000, back)


def _rows(domain: Domain, numbers: np.ndarray, times: np.ndarray, seed: int) -> ReadingBatch:
    """A reading of each sensor at each time, in the order of time."""
    random = np.random.default_rng(seed)
    sensor = np.tile(numbers.astype(np.int32), len(times))
    at = np.repeat(times.astype(np.int64), len(numbers))
    n = len(sensor)
    if domain is Domain.WATER:
        hour = (at - (END_US - 400 * DAY_US)) / HOUR_US
        metrics = {"register_litres": np.round(sensor * 1000.0 + hour * (8 + sensor % 9))}
    else:
        rush = 0.5 - 0.5 * np.cos(4 * np.pi * (at % DAY_US) / DAY_US)
        count = random.poisson(2 + 20 * rush).astype(float)
        metrics = {
            "count_veh": count,
            "speed_km_per_h": np.round(random.normal(90 - 35 * rush, 4), 1),
            "occupancy_pct": np.round(count * 0.6 + random.random(n), 1),
        }
    return ReadingBatch(domain, sensor, at, at + 900_000, np.zeros(n, np.int16), metrics)

"""The past as batches: all of it, in the order of time, each reading once, and nothing that is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.instant import SECOND_US, from_us, to_us
from services.domain.sensor import Sensor
from services.store.clock import database_time_us
from services.store.connection import connect
from services.store.past import newest_time, past
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter

START_US = to_us(datetime(2026, 3, 1, tzinfo=UTC))
HOUR_US = 3600 * SECOND_US


def batch(domain: Domain, sensor: int, hours: list[int], column: str) -> ReadingBatch:
    at = np.array([START_US + hour * HOUR_US for hour in hours], np.int64)
    values = np.array([float(hour) for hour in hours])
    return ReadingBatch(
        domain,
        np.full(len(hours), sensor, np.int32),
        at,
        at + 7,
        np.full(len(hours), 1, np.int16),
        {column: values},
    )


def test_the_past_is_read_once_and_in_order(database_url: str) -> None:
    hours = [5, 0, 1, 900, 3, 6, 12]
    with connect(database_url, "test", autocommit=True) as conn:
        sensors = SensorRepository(conn)
        meter, road = Sensor("m", SensorKind.WATER_METER), Sensor("r", SensorKind.TRAFFIC_STATION)
        sensors.upsert([meter, road])
        numbers = [sensors.registered(name).number for name in "mr"]
        writer = ReadingWriter(conn)
        writer.write(batch(Domain.WATER, numbers[0], hours, "register_litres"))
        writer.write(batch(Domain.TRAFFIC, numbers[1], [2, 901], "speed_km_per_h"))
        newest = newest_time(conn)
        assert newest == from_us(START_US + 901 * HOUR_US)
        # the end is exclusive, the start inclusive
        found = list(past(conn, from_us(START_US + HOUR_US), newest))
    water = [b for b in found if b.domain is Domain.WATER]
    times = np.concatenate([b.observed_us for b in water])
    assert times.tolist() == [START_US + hour * HOUR_US for hour in (1, 3, 5, 6, 12, 900)]
    values = np.concatenate([b.metrics["register_litres"] for b in water])
    assert values.tolist() == [1.0, 3.0, 5.0, 6.0, 12.0, 900.0]
    assert np.isnan(np.concatenate([b.metrics["flow_litres_per_h"] for b in water])).all()
    assert {int(b.received_us[0] - b.observed_us[0]) for b in found} == {7}
    assert {int(q) for b in found for q in b.quality} == {1}
    assert [len(b) for b in found if b.domain is Domain.TRAFFIC] == [1]
    spans = [int(b.observed_us.max() - b.observed_us.min()) for b in found]
    assert max(spans) < 6 * HOUR_US


def test_an_empty_database_has_no_past(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        assert newest_time(conn) is None
        now = from_us(database_time_us(conn))
        assert list(past(conn, now - timedelta(days=400), now)) == []
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=5)

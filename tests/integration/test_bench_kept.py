"""The database that the history benchmark keeps: a load that was ended goes on, and another city is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from benchmarks import api_city
from benchmarks.api_kept import Kept
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.instant import DAY_US, HOUR_US
from services.store.connection import Connection, connect

CITY = api_city.City(1, 1, 1)
DAYS = 4


def days() -> Iterator[ReadingBatch]:
    """Three stations and five meters, hourly."""
    hours = np.arange(24) * HOUR_US
    for back in range(DAYS, 0, -1):
        at = api_city.END_US - back * DAY_US + hours
        yield api_city._rows(Domain.TRAFFIC, np.arange(1, 4), at, back)
        yield api_city._rows(Domain.WATER, np.arange(4, 9), at, back)


@pytest.fixture
def conn(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(api_city, "STATIONS", 3)
    monkeypatch.setattr(api_city, "METERS", 5)
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def killed_after(batches: int) -> Iterator[ReadingBatch]:
    yield from islice(days(), batches)
    raise KeyboardInterrupt


def counts(conn: Connection) -> list[int]:
    tables = ("water_reading", "traffic_reading", "water_day", "traffic_hour")
    return [conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # type: ignore[index]


def test_a_load_that_was_ended_goes_on(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(conn, CITY.fingerprint)
    monkeypatch.setattr(api_city, "batches", lambda city: killed_after(3))
    with pytest.raises(KeyboardInterrupt):
        api_city.load(conn, CITY, kept)
    assert kept.progress().batches == 3
    assert not kept.progress().loaded
    monkeypatch.setattr(api_city, "batches", lambda city: days())
    for _ in range(2):  # the second time there is nothing to do
        again = Kept(conn, CITY.fingerprint)
        api_city.load(conn, CITY, again)
        api_city.roll_up(conn, again)
        progress = again.progress()
        assert (progress.batches, progress.loaded, progress.rolled) == (2 * DAYS, True, True)
        # and the newest of each
        assert counts(conn) == [5 * (24 * DAYS + 1), 3 * (24 * DAYS + 1), 5 * DAYS, 3 * 24 * DAYS]


def test_another_city_is_not_used(conn: Connection) -> None:
    Kept(conn, CITY.fingerprint)
    with pytest.raises(SystemExit, match="another city"):
        Kept(conn, api_city.City(1, 1, 2).fingerprint)

"""The pieces of time in which an export reads: in order, each reading once, few of them twice, none too large."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from services.domain.catalogue import Domain
from services.store.connection import connect
from services.store.query import export_rows
from services.store.query.export_rows import Asked, pieces
from tests.api_server import METER, register, store

START = datetime(2026, 1, 1, tzinfo=UTC)
FLOW = Asked(Domain.WATER, ("flow_litres_per_h",))


@pytest.mark.parametrize("readers", [1, 3])
def test_pieces_follow_the_rate_and_miss_nothing(database_url: str, readers: int) -> None:
    """Three thousand minutes with a hole of two days in the middle."""
    number = register(database_url, [METER])[METER.id]
    times = [START + timedelta(minutes=i + (2880 if i > 1500 else 0)) for i in range(3000)]
    store(database_url, METER, number, times, flow_litres_per_h=[float(i) for i in range(3000)])
    start, end = (round(t.timestamp() * 1e6) for t in (START, START + timedelta(days=10)))
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(database_url, "test", autocommit=True))
            for _ in range(readers)
        ]
        found = list(pieces(connections, FLOW, None, start, end, most_rows=200))
    values = np.concatenate([piece.values["flow_litres_per_h"] for piece in found])
    assert values.tolist() == [float(i) for i in range(3000)]
    assert max(len(piece) for piece in found) <= 400
    assert all(a.end_us == b.start_us for a, b in pairwise(found))


def test_where_readings_become_denser_few_are_read_twice(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day by the hour, then an hour by the second: the windows of the day would hold all of the hour."""
    number = register(database_url, [METER])[METER.id]
    dense = START + timedelta(days=1)
    times = [START + timedelta(hours=i) for i in range(24)]
    times += [dense + timedelta(seconds=i) for i in range(3600)]
    store(database_url, METER, number, times, flow_litres_per_h=[1.0] * len(times))
    read: list[int] = []
    ask = export_rows._piece

    def counted(*args: Any, **more: Any) -> Any:
        piece = ask(*args, **more)
        read.append(0 if piece is None else len(piece))
        return piece

    monkeypatch.setattr(export_rows, "_piece", counted)
    start, end = (round(t.timestamp() * 1e6) for t in (START, START + timedelta(days=2)))
    with connect(database_url, "test", autocommit=True) as connection:
        found = list(pieces([connection], FLOW, None, start, end, most_rows=200))
    assert sum(map(len, found)) == len(times)
    assert sum(read) <= 1.5 * len(times)
    assert max(map(len, found)) <= 400


def test_pieces_are_in_the_order_of_time_however_they_were_stored(database_url: str) -> None:
    meters = [replace(METER, id=f"M-{i}") for i in range(3)]
    numbers = register(database_url, meters)
    for meter in reversed(meters):
        for minutes in (range(50, 100), range(50)):
            times = [START + timedelta(minutes=i) for i in minutes]
            values = [float(i) for i in minutes]
            store(database_url, meter, numbers[meter.id], times, flow_litres_per_h=values)
    start, end = (round(t.timestamp() * 1e6) for t in (START, START + timedelta(days=1)))
    asked = replace(FLOW, stamps=("received_at", "stored_at"))
    with connect(database_url, "test", autocommit=True) as connection:
        for some in (None, np.array(sorted(numbers.values())[:2], np.int32)):
            found = list(pieces([connection], asked, some, start, end, most_rows=60))
            rows = [
                (at, sensor, value, received)
                for piece in found
                for at, sensor, value, received in zip(
                    piece.at_us.tolist(),
                    piece.sensor.tolist(),
                    piece.values["flow_litres_per_h"].tolist(),
                    piece.stamps["received_at"].tolist(),
                    strict=True,
                )
            ]
            assert rows == [
                (at := start + i * 60_000_000, number, float(i), at + 1_000_000)
                for i in range(100)
                for number in (sorted(numbers.values()) if some is None else some.tolist())
            ]


def test_a_moment_with_more_readings_than_a_piece_is_one_piece(database_url: str) -> None:
    meters = [replace(METER, id=f"M-{i}") for i in range(12)]
    numbers = register(database_url, meters)
    for meter in meters:
        times = [START + timedelta(minutes=i) for i in range(3)]
        store(database_url, meter, numbers[meter.id], times, flow_litres_per_h=[1.0, 2.0, 3.0])
    start, end = (round(t.timestamp() * 1e6) for t in (START, START + timedelta(days=1)))
    with connect(database_url, "test", autocommit=True) as connection:
        found = list(pieces([connection], FLOW, None, start, end, most_rows=2))
    sizes = [len(piece) for piece in found]
    assert [size for size in sizes if size] == [12, 12, 12]
    assert all(a.end_us == b.start_us for a, b in pairwise(found))


@pytest.mark.parametrize("readers", [1, 2])
def test_columns_without_values_are_not_sent_until_there_are_some(
    database_url: str, monkeypatch: pytest.MonkeyPatch, readers: int
) -> None:
    """Pressure begins in the middle of the range, and later stops again; level never comes."""
    number = register(database_url, [METER])[METER.id]
    values = {
        "flow_litres_per_h": [float(i) for i in range(1000)],
        "pressure_kpa": [float(i) if 500 <= i < 600 else float("nan") for i in range(1000)],
    }
    times = [START + timedelta(minutes=i) for i in range(1000)]
    store(database_url, METER, number, times, **values)
    sent: list[int] = []
    ask = export_rows._piece

    def counted(conn: Any, asked: Asked, *args: Any, **more: Any) -> Any:
        piece = ask(conn, asked, *args, **more)
        sent.append(len(asked.metrics) - len(asked.empty))
        return piece

    monkeypatch.setattr(export_rows, "_piece", counted)
    asked = Asked(Domain.WATER, ("flow_litres_per_h", "pressure_kpa", "level_m"))
    start, end = (round(t.timestamp() * 1e6) for t in (START, START + timedelta(days=1)))
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(database_url, "test", autocommit=True))
            for _ in range(readers)
        ]
        found = list(pieces(connections, asked, None, start, end, most_rows=50))
    for name, expected in values.items():
        got = np.concatenate([piece.values[name] for piece in found])
        np.testing.assert_array_equal(got, expected)
    assert np.isnan(np.concatenate([piece.values["level_m"] for piece in found])).all()
    assert sent[0] == 3
    assert sent.count(3) <= 2 * readers + 1
    assert sent[-1] == 2

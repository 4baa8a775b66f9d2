"""Recorded cases: metrics of one moment join, units become canonical, lines may come in any order and be wrong."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from services.detect.recorded.recordings import RecordedCase, read_case, read_recording
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput

HEADER = "time,sensor_id,kind,metric,value\n"


def case(folder: Path, text: str, sensors: object = None, header: str = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "readings.csv.gz").write_bytes(gzip.compress((header + text).encode()))
    if sensors is not None:
        (folder / "sensors.json").write_text(json.dumps(sensors))
    return folder


def whole(found: RecordedCase, domain: Domain) -> ReadingBatch:
    return concatenate([block[domain] for block in found.batches() if domain in block])


def test_metrics_of_one_moment_are_one_reading_in_canonical_units(tmp_path: Path) -> None:
    found = read_recording(
        case(
            tmp_path,
            "2026-03-02T00:00:30Z,B,loop_detector,speed_kmh,\n"
            "2026-03-02T00:00:00Z,B,loop_detector,speed_kmh,80\n"
            "2026-03-02T00:00:00Z,Z,dma_inflow,flow_m3h,1.5\n"
            "2026-03-02T00:00:00Z,B,loop_detector,volume_veh,7\n",
            {"sensors": [{"sensor_id": "B", "order": 1, "position_mile": 68.5},
                         {"sensor_id": "A", "order": 0, "position_mile": 69.0}],
             "dma": {"D1": {"inlets": ["Z"]}}},
        )
    )  # fmt: skip
    station, inlet = found.sensors
    assert (station.kind, inlet.kind, inlet.zone) == (
        SensorKind.TRAFFIC_STATION,
        SensorKind.DMA_INLET,
        "D1",
    )
    assert station.position_m == pytest.approx(804.672)
    road = found.batches[Domain.TRAFFIC]
    assert (len(road), road.metrics["speed_km_per_h"][0], road.metrics["count_veh"][0]) == (
        1,
        80.0,
        7.0,
    )
    assert found.batches[Domain.WATER].metrics["flow_litres_per_h"].tolist() == [1500.0]


GOOD = "".join(f"2026-03-02T0{i}:00:00Z,A,customer_meter,register_l,{i}\n" for i in range(3))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("2026-03-02,A,customer_meter,register_l,1", "time"),
        ("1999-12-31T00:00:00Z,A,customer_meter,register_l,1", "2000"),
        ("2026-03-02T00:00:00Z,A,customer_meter,register_l,much", "a number"),
        ("2026-03-02T00:00:00Z,A,customer_meter", "5 columns"),
        ("2026-03-02T00:00:00Z,,customer_meter,register_l,1", "sensor_id"),
    ],
)
def test_a_line_that_is_not_understood_is_left_out_and_named(
    tmp_path: Path, line: str, named: str
) -> None:
    found = read_case(case(tmp_path, GOOD + line + "\n"))
    assert (found.bad.count, found.lines) == (1, 3)
    [sentence] = found.bad.named
    assert sentence.startswith("line 5: ")
    assert named in sentence
    assert whole(found, Domain.WATER).metrics["register_litres"].tolist() == [0.0, 1.0, 2.0]


def test_a_file_of_which_most_is_not_understood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"line 5: .*a number"):
        read_case(case(tmp_path, GOOD + "2026-03-02T00:00:00Z,A,customer_meter,register_l,x\n" * 4))


def test_a_file_that_ends_too_early_or_has_no_times_is_refused(tmp_path: Path) -> None:
    folder = case(tmp_path / "short", GOOD * 500)
    path = folder / "readings.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="read to its end"):
        read_case(folder)
    with pytest.raises(InvalidInput, match="columns time"):
        read_case(case(tmp_path / "other", "A,1\n", header="sensor_id,value\n"))
    (tmp_path / "sensors").mkdir()
    folder = case(tmp_path / "odd", GOOD)
    (folder / "sensors.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"sensors\.json"):
        read_case(folder)


@pytest.mark.parametrize("text", ["", HEADER])
def test_an_empty_file_is_an_empty_case(tmp_path: Path, text: str) -> None:
    (tmp_path / "readings.csv").write_text(text)
    found = read_case(tmp_path)
    assert (found.lines, found.sensors, list(found.batches())) == (0, (), [])


def test_a_folder_without_readings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"readings\.csv"):
        read_recording(tmp_path)


def test_what_no_detector_knows_is_counted_and_disturbs_nobody(tmp_path: Path) -> None:
    text = (
        "2026-03-02T00:00:00Z,tweets/AAPL,generic,value,1\n"
        "2026-03-02T00:00:00Z,A,customer_meter,colour,1\n"
        "2026-03-02T00:00:00Z,A,customer_meter,speed_kmh,1\n"
    )
    found = read_case(case(tmp_path, text + GOOD))
    assert found.unwatched == {
        "generic value": 1, "customer_meter colour": 1, "customer_meter speed_kmh": 1,
    }  # fmt: skip
    assert [sensor.id for sensor in found.sensors] == ["A"]
    assert (found.bad.count, len(whole(found, Domain.WATER))) == (0, 3)


def test_a_kind_that_is_left_out_is_guessed_from_the_metric(tmp_path: Path) -> None:
    text = (
        "2026-03-02T00:00:00Z,A,register_l,1\n"
        "2026-03-02T00:00:00Z,B,speed_kmh,90\n"
        "2026-03-02T00:00:00Z,C,flow_m3h,1\n"
        "2026-03-02T00:00:00Z,D,speed_km_per_h,90\n"
    )
    found = read_case(case(tmp_path, text, header="time,sensor_id,metric,value\n"))
    assert [sensor.kind.value for sensor in found.sensors] == [
        "water_meter", "traffic_station", "dma_inlet",
    ]  # fmt: skip
    assert found.unwatched == {"speed_km_per_h": 1}


def test_neighbours_of_which_only_the_next_is_known_stand_in_a_row(tmp_path: Path) -> None:
    text = "".join(
        f"2026-03-02T00:00:00Z,{name},loop_detector,speed_kmh,90\n" for name in ("P", "Q", "R")
    )
    facts = [
        {"sensor_id": "Q", "upstream": "R", "downstream": "P"},
        {"sensor_id": "P", "upstream": "Q", "downstream": None},
        {"sensor_id": "R", "upstream": None, "downstream": "Q"},
    ]
    found = read_case(case(tmp_path / "m1", text, {"sensors": facts}))
    assert {sensor.id: sensor.position_m for sensor in found.sensors} == {
        "R": 0.0, "Q": 1000.0, "P": 2000.0,
    }  # fmt: skip
    assert {sensor.road for sensor in found.sensors} == {"m1"}


def disorder(count: int = 2880, seed: int = 5) -> list[str]:
    """Lines of two meters and a station over ten days, with duplicates of other values behind them."""
    chance = np.random.default_rng(seed)
    lines = []
    for i in range(count):
        hour = f"2026-03-{2 + i // 288:02d}T{i // 12 % 24:02d}:{i % 12 * 5:02d}:00Z"
        lines.append(f"{hour},M{i % 2},customer_meter,register_l,{i}")
        lines.append(f"{hour},S,loop_detector,speed_kmh,{i % 90}")
        lines.append(f"{hour},S,loop_detector,volume_veh,{i % 7}")
    mixed = [lines[i] for i in chance.permutation(len(lines))]
    again = [f"{line.rpartition(',')[0]},77777" for line in lines[::50]]
    return mixed + again


@pytest.mark.parametrize("in_memory", [10**9, 500])
def test_lines_in_any_order_are_read_in_the_order_of_time_and_the_first_value_wins(
    tmp_path: Path, in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.detect.recorded.sorted_rows._CHUNK", 997)
    found = read_case(case(tmp_path, "\n".join(disorder()) + "\n"), in_memory)
    wanted = read_case(case(tmp_path / "sorted", "\n".join(sorted(disorder(), key=_time)) + "\n"))
    for domain in Domain:
        got, want = whole(found, domain), whole(wanted, domain)
        assert (np.diff(got.observed_us) >= 0).all()
        assert got.observed_us.tolist() == want.observed_us.tolist()
        assert got.sensor.tolist() == want.sensor.tolist()
        assert set(got.metrics) == set(want.metrics)
        for name, values in got.metrics.items():
            assert values.tolist() == want.metrics[name].tolist()
            assert values.max() < 77777
    assert len(list(found.batches())) == (1 if in_memory > 500 else 240)
    again = [len(batch) for block in found.batches() for batch in block.values()]
    assert sum(again) == 5760, "a case can be run through again"


def _time(line: str) -> str:
    return line.partition(",")[0]


def test_readings_come_when_they_arrived_where_the_file_says_so(tmp_path: Path) -> None:
    text = (
        "2026-03-02T01:00:00Z,A,customer_meter,register_l,1,2026-03-02T09:00:00Z\n"
        "2026-03-02T02:00:00Z,A,customer_meter,register_l,2,2026-03-02T02:00:05Z\n"
        "2026-03-02T03:00:00Z,A,customer_meter,register_l,3,\n"
    )
    found = read_case(case(tmp_path, text, header=HEADER.strip() + ",received_at\n"))
    assert found.arrivals
    batch = whole(found, Domain.WATER)
    assert batch.metrics["register_litres"].tolist() == [2.0, 3.0, 1.0]
    assert (np.diff(batch.received_us) > 0).all()
    drawn = read_recording(tmp_path).batches[Domain.WATER]
    assert drawn.metrics["register_litres"].tolist() == [1.0, 2.0, 3.0]


def test_slices_of_several_domains_go_on_together(tmp_path: Path) -> None:
    text = "".join(
        f"2026-03-02T0{i}:00:00Z,A,customer_meter,register_l,{i}\n"
        f"2026-03-02T0{i}:00:10Z,S,loop_detector,speed_kmh,{i}\n"
        for i in range(5)
    )
    found = read_case(case(tmp_path, text))
    slices = list(found.slices({Domain.WATER: 900_000_000, Domain.TRAFFIC: 60_000_000}))
    assert [len(each.batches) for each in slices] == [2] * 5
    assert all(a.last_us < b.first_us for a, b in pairwise(slices))

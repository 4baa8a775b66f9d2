"""The made cases of meters read every quarter of an hour: what they say is what they hold, and a seed is a case."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.case_files import write_files
from benchmarks.coarse_meters import CADENCES, coarse_case
from benchmarks.made_meters import STEP_MIN, make
from benchmarks.split_meters import split_case
from services.domain.instant import HOUR_US, isoformat, parse_time
from simulators.water.households import DAY_MIN, Household, Life

HOUR = "2016-04-0{day}T{hour:02d}:00:00Z"


def test_a_household_uses_what_homes_use_and_rests_when_it_is_away() -> None:
    there = np.ones(28)
    there[7:14] = 0.0
    litres = Household(3).litres(0, there, np.random.default_rng(1))
    by_day = litres.reshape(28, DAY_MIN).sum(axis=1)
    assert 250 < by_day[14:].mean() < 600
    assert (by_day[7:14] == 0).all()
    quarters = litres.reshape(-1, STEP_MIN).sum(axis=1)
    assert (quarters == 0).mean() > 0.5, "uses are short"
    empty = Household(2, Life.WEEKENDS).litres(0, np.ones(5), np.random.default_rng(1))
    assert empty.sum() == 0, "from Monday to Friday nobody is there"


def test_a_seed_is_a_case() -> None:
    one, same, other = (make(seed, meters=15) for seed in (3, 3, 4))
    assert one.events == same.events != other.events
    meter, twin = one.meters[0], same.meters[0]
    assert one.readings(meter) == same.readings(twin)
    kinds = {event["kind"] for event in one.events}
    assert {"continuous_flow", "burst", "stuck_meter", "missing_data", "backflow"} <= kinds


def test_the_register_shows_what_the_truth_says() -> None:
    maker = make(5, meters=15)
    meters = {meter.name: meter for meter in maker.meters}
    seen = set()
    for event in maker.events:
        (name,) = event["series"]  # type: ignore[misc]
        begin, end = (parse_time(str(event[each])) for each in ("start", "end"))
        rows = [r for r in maker.readings(meters[name]) if begin <= r[0] <= end]
        seen.add(event["kind"])
        if event["kind"] == "missing_data":
            assert rows == []
            continue
        if rows[0][2] != "register_l":
            continue
        moved = rows[-1][3] - rows[0][3]
        if event["kind"] == "stuck_meter":
            assert moved == 0
        elif event["kind"] == "backflow":
            assert moved < 0
        elif event["kind"] in ("continuous_flow", "burst"):
            hours = (rows[-1][0] - rows[0][0]) / HOUR_US
            assert moved >= event["size"]["lph"] * hours - 11  # type: ignore[index]
    assert {"missing_data", "stuck_meter", "backflow", "continuous_flow"} <= seen


@pytest.mark.parametrize(
    ("kind", "size"), [("continuous_flow", {"lph": 8.0}), ("backflow", {"litres": 6.0})]
)
def test_an_hour_is_split_where_the_truth_says_that_water_ran(
    tmp_path: Path, kind: str, size: dict[str, float]
) -> None:
    hours = [1000.0 + (8.0 if "lph" in size else -2.0) * h for h in range(4)]
    at = [parse_time(HOUR.format(day=1, hour=h)) for h in range(4)]
    rows = [(t, "M", "register_l", v) for t, v in zip(at, hours, strict=True)]
    event = {
        "series": ["M"],
        "start": HOUR.format(day=1, hour=0),
        "end": HOUR.format(day=1, hour=3),
    }
    facts = {"case": "hourly", "events": [event | {"kind": kind, "size": size}]}
    write_files(tmp_path / "hourly", rows, facts)
    split_case(tmp_path / "hourly", tmp_path / "split", seed=1)
    with gzip.open(tmp_path / "split" / "readings.csv.gz", "rt") as file:
        fine = {row["time"]: float(row["value"]) for row in csv.DictReader(file)}
    assert len(fine) == 13
    assert [fine[HOUR.format(day=1, hour=h)] for h in range(4)] == hours, "full hours stay"
    steps = np.diff(list(fine.values()))
    assert np.abs(steps).max() <= (3 if "lph" in size else 1), "a leak runs evenly"
    truth = json.loads((tmp_path / "split" / "truth.json").read_text())
    assert (truth["case"], truth["interval_s"]) == ("split", 900)


def test_seldom_readings_are_those_of_the_finer_case_and_score_what_they_can_tell(
    tmp_path: Path,
) -> None:
    start, hours = parse_time("2016-04-01T00:00:00Z"), 24 * 60
    use = np.full(hours, 10.0)
    use[24 * 20 + 3 : 24 * 20 + 6] = -5.0
    register = 1000.0 + np.cumsum(use)
    silent = range(24 * 30, 24 * 34)
    rows = [
        (start + h * HOUR_US, "M", "register_l", float(register[h]))
        for h in range(hours)
        if h not in silent
    ]

    def event(kind: str, first: int, last: int) -> dict[str, object]:
        window = {
            "start": isoformat(start + first * HOUR_US),
            "end": isoformat(start + last * HOUR_US),
        }
        return {"id": kind, "series": ["M"], "kind": kind, "size": {}, "scored": True, **window}

    events = [
        event("backflow", 24 * 20 + 3, 24 * 20 + 6),
        event("missing_data", silent.start, silent.stop),
        event("burst", 24 * 40, 24 * 41),
    ]
    facts = {"case": "hourly", "match_grace_hours": 24, "ignore": [], "events": events}
    write_files(tmp_path / "hourly", rows, facts)
    fine = {row[0]: row[3] for row in rows}
    for cadence in CADENCES:
        folder = tmp_path / cadence.name
        coarse_case(tmp_path / "hourly", folder, cadence, seed=1)
        with gzip.open(folder / "readings.csv.gz", "rt") as file:
            kept = [(parse_time(row["time"]), float(row["value"])) for row in csv.DictReader(file)]
        assert all(fine[at] == value for at, value in kept)
        apart = np.diff([at for at, _ in kept]) / HOUR_US
        assert abs(np.median(apart) - cadence.hours) <= max(cadence.spread_h, 1)
        told = json.loads((folder / "truth.json").read_text())
        scored = {each["kind"] for each in told["events"] if each["scored"]}
        assert "burst" in scored
        assert ("missing_data" in scored) == (cadence.hours <= 24), "one lost reading is no silence"
        assert cadence.hours <= 12 or "backflow" not in scored, "its day is no fall of the register"
        assert told["match_grace_hours"] >= cadence.hours

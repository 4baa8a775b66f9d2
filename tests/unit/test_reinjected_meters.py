"""Real homes injected anew: what the truth says is in the readings, and the traces keep what they were."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.natural_homes import FIRST_US, HOURS, WEEK_US, WEEKS, Trace, natural_homes
from benchmarks.practice import practice_folder
from benchmarks.reinjected_meters import Group, Injector
from services.domain.instant import DAY_US, HOUR_US, parse_time

AT = FIRST_US + np.arange(1, HOURS, dtype=np.int64) * HOUR_US


def trace(seed: int) -> Trace:
    random = np.random.default_rng(seed)
    use = random.gamma(1.2, 12.0, HOURS - 1).round() * (random.random(HOURS - 1) < 0.5)
    use[np.arange(HOURS - 1) % 24 < 6] = 0
    return Trace(AT, use)


def test_a_turned_trace_is_the_same_home_in_other_weeks() -> None:
    one = trace(1)
    turned = one.turned(5)
    assert turned.litres.sum() == one.litres.sum()
    moved = dict(zip(turned.at_us.tolist(), turned.litres.tolist(), strict=True))
    assert moved[int(AT[100]) + 5 * WEEK_US] == one.litres[100]
    assert (np.diff(turned.at_us) > 0).all()
    assert turned.at_us[-1] < FIRST_US + WEEKS * WEEK_US


def test_what_a_trace_hides_is_found() -> None:
    use = trace(2).litres.copy()
    use[500:530], use[900:1300] = 3.0, 0.0
    torn = Trace(np.delete(AT, slice(2000, 2030)), np.delete(use, slice(2000, 2030)))
    assert any(a <= AT[500] and AT[529] <= b for a, b in torn.runs())
    assert [round((b - a) / HOUR_US) for a, b in torn.gaps()] == [31]
    ((begin, end),) = torn.rests()
    assert (end - begin) / HOUR_US >= 400
    hours = torn.by_hour()
    assert hours[2001:2030].sum() > 0, "a hole takes another week's hours"


def test_the_truth_is_in_the_readings(tmp_path: Path) -> None:
    homes = {f"H{n}": trace(n) for n in range(6)}
    plain = Group("plain", 28)
    sums = Group("sums", 3, homes=(2, 4))
    Injector(homes, (plain, sums), 3).write(tmp_path)
    facts = json.loads((tmp_path / "truth.json").read_text())
    read: dict[str, list[tuple[int, float]]] = {}
    with gzip.open(tmp_path / "readings.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            at = parse_time(row["time"])
            read.setdefault(row["sensor_id"], []).append((at, float(row["value"])))
    kinds = {event["kind"] for event in facts["events"]}
    assert {"continuous_flow", "burst", "stuck_meter", "missing_data", "backflow"} <= kinds
    for event in facts["events"]:
        begin, end = parse_time(event["start"]), parse_time(event["end"])
        inside = [
            each for each in read[event["series"][0]] if begin + HOUR_US < each[0] <= end - HOUR_US
        ]
        steps = np.array([b[1] - a[1] for a, b in pairwise(inside)])
        match event["kind"]:
            case "missing_data":
                assert inside == []
            case "stuck_meter":
                assert (steps == 0).all()
            case "backflow":
                assert (steps < 0).all()
            case "continuous_flow" | "burst":
                assert steps.min() >= 0.75 * event["size"]["lph"] - 1
            case "intermittent_leak":
                assert 0.6 < event["size"]["duty"] < 0.9
    again = tmp_path / "again"
    Injector(homes, (plain, sums), 3).write(again)
    assert (again / "truth.json").read_text() == (tmp_path / "truth.json").read_text()


@pytest.mark.skipif(
    not (practice_folder() / "water" / "ami_hourly").is_dir(), reason="no recordings here"
)
def test_natural_homes_have_no_trace_of_what_was_injected() -> None:
    homes = natural_homes(practice_folder())
    facts = json.loads((practice_folder() / "water" / "ami_hourly" / "truth.json").read_text())
    for event in facts["events"]:
        home = homes[event["series"][0]]
        begin, end = parse_time(event["start"]), parse_time(event["end"])
        inside = home.litres[(home.at_us > begin) & (home.at_us <= end)]
        if event["kind"] == "missing_data":
            assert inside.size > 0.5 * (end - begin) / HOUR_US
        elif event["kind"] == "stuck_meter":
            assert inside.sum() > (end - begin) / DAY_US
        elif event["kind"] == "burst":
            assert np.median(inside) < 0.2 * event["size"]["lph"]
        elif event["kind"] == "backflow":
            assert inside.sum() >= 0

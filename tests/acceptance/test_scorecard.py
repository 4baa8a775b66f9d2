"""The scorecard: our scorer agrees with the practice set's own, and the quick cases have not become worse.

`make scorecard` runs all cases. Skipped without the practice set.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corridor import corridor_case
from benchmarks.practice import practice_folder
from benchmarks.scorecard import FLOOR, Line, lines, read_floor, regressions
from benchmarks.scorecard_table import ROWS, Judged, Measure, Row
from services.detect.recorded.backtest import write_alerts
from services.detect.scoring.case_files import Scored, score_case

PRACTICE = practice_folder()
QUICK = (
    "water/ami_hourly_apartments",
    "water/dma_mass_balance/control",
    "water/dma_mass_balance/leak",
    "water/leakdb_hanoi/S0062",
    "traffic/i24_day0",
)
needs_practice = pytest.mark.skipif(
    not (PRACTICE / "score.py").is_file(), reason="the practice set is not here"
)


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alerts")
    for case in QUICK:
        write_alerts(PRACTICE / case, folder / f"{case}.jsonl")
    return folder


@pytest.fixture(scope="module")
def reference(alerts: Path) -> dict[str, dict[str, Any]]:
    """What the practice set's own scorer says of them, by case."""
    return theirs(alerts)


def theirs(alerts: Path) -> dict[str, dict[str, Any]]:
    out = alerts / "theirs.json"
    subprocess.run(
        [sys.executable, PRACTICE / "score.py", alerts, "--json", out],
        check=True,
        capture_output=True,
    )
    return {each["case"]: each for each in json.loads(out.read_text())}


def ours(case: str, alerts: Path) -> Scored:
    return score_case(case, PRACTICE / case, alerts / f"{case}.jsonl")


def assert_same(mine: Scored, reference: dict[str, Any]) -> None:
    whole = mine.whole
    assert (whole.events, whole.found, whole.false_alarms, whole.benign) == (
        reference["events"], reference["detected"], reference["fa_episodes"], reference["fa_benign"],
    )  # fmt: skip
    assert (whole.judged, whole.duplicates, whole.ignored) == (
        reference["alerts"], reference["duplicates"], reference["ignored"],
    )  # fmt: skip
    assert whole.recall == reference["recall"]
    assert whole.precision == reference["precision"]
    assert whole.sensor_days == pytest.approx(reference["sensor_days"], abs=0.06)
    assert whole.median_h == pytest.approx(reference["median_ttd_h"], abs=1e-3)
    assert whole.mean_h == pytest.approx(reference["mttd_h"], abs=1e-3)
    hits = {hit.event.id: hit.delay_us / 3.6e9 for hit in mine.matching.hits}
    assert hits == pytest.approx(reference["hits"], abs=1e-3)
    assert set(mine.by_family) == set(reference["by_family"])
    for name, each in reference["by_family"].items():
        family = mine.by_family[name]
        assert (family.events, family.found, family.false_alarms) == (
            each["n"], each["detected"], each["fa"],
        )  # fmt: skip
    if "chance_detected" in reference:
        assert whole.by_chance == pytest.approx(reference["chance_detected"], abs=0.35)


@needs_practice
@pytest.mark.recording
def test_our_scorer_agrees_with_the_practice_sets_own(
    alerts: Path, reference: dict[str, dict[str, Any]]
) -> None:
    assert set(reference) == set(QUICK)
    for case in QUICK:
        assert_same(ours(case, alerts), reference[case])


@needs_practice
@pytest.mark.recording
def test_homes_that_never_sleep_are_found(reference: dict[str, dict[str, Any]]) -> None:
    result = reference["water/ami_hourly_apartments"]
    assert result["detected"] == 3, "vendor rules: none"
    assert result["fa_episodes"] <= 1


@needs_practice
@pytest.mark.recording
def test_congestion_on_a_real_motorway_is_found(reference: dict[str, dict[str, Any]]) -> None:
    result = reference["traffic/i24_day0"]
    assert (result["detected"], result["fa_episodes"]) == (41, 0)


@needs_practice
@pytest.mark.recording
def test_they_agree_on_noise_too(tmp_path: Path) -> None:
    """Alerts of every kind at every hour: hits, duplicates, ignored and false alarms of all sorts."""
    kinds = (
        "leak",
        "stuck_meter",
        "offline",
        "reverse_flow",
        "incident",
        "slow_traffic",
        "anomaly",
        "odd",
    )
    for case in ("water/ami_hourly", "water/leakdb_hanoi/S0062", "traffic/sumo_corridor"):
        bare = score_case(case, PRACTICE / case, None)
        span = bare.truth.end_us - bare.truth.start_us
        path = tmp_path / f"{case}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            for i in range(900):
                at = (bare.truth.start_us + span * (i * 377 % 911) // 905) // 1_000_000
                sensor = bare.watched.sensor_ids[i * 7 % len(bare.watched.sensor_ids)]
                line = {
                    "sensor_id": sensor,
                    "kind": kinds[i * 5 % len(kinds)],
                    "detected_at": _iso(at),
                }
                file.write(json.dumps(line) + "\n")
    reference = theirs(tmp_path)
    for case, each in reference.items():
        assert each["fa_episodes"] > 0
        assert each["detected"] > 0
        assert_same(ours(case, tmp_path), each)


def _iso(seconds: int) -> str:
    from services.domain.instant import isoformat

    return isoformat(seconds * 1_000_000)


@needs_practice
@pytest.mark.recording
def test_the_quick_cases_have_not_become_worse(alerts: Path) -> None:
    quick = ("homes that never sleep", "mass balance")
    scored = [ours(case, alerts) for case in QUICK]
    found = [line for line in lines(scored) if line.row.work.startswith(quick)]
    assert len(found) >= 5
    assert regressions(found, read_floor()) == []


def test_the_floor_names_lines_of_the_table_alone() -> None:
    keys = {f"{row.work}: {measure.name}" for row in ROWS for measure in row.measures}
    assert set(read_floor()) <= keys, f"{FLOOR} names lines that are not in the table"
    assert len(read_floor()) >= 15


def test_a_figure_below_its_floor_is_a_regression_in_either_direction() -> None:
    row = Row("work", ("*",), ())
    recall, minutes = Measure("recall", None, 1.0), Measure("minutes", None, 3.0, higher=False)
    floor = {"work: recall": 0.9, "work: minutes": 5.0, "work: alarms": 0.0}

    def worse(measure: Measure, ours: float | None, cases: int = 1) -> int:
        return len(regressions([Line(row, measure, ours, cases)], floor))

    assert (worse(recall, 0.9), worse(recall, 0.95), worse(recall, 0.89)) == (0, 0, 1)
    assert (worse(minutes, 5.0), worse(minutes, 4.0), worse(minutes, 5.1)) == (0, 0, 1)
    assert worse(minutes, None) == 1, "nothing found any more"
    assert worse(minutes, None, cases=0) == 0, "no such case in this folder"
    assert worse(Measure("new", None, 1.0), 0.1) == 0
    alarms = Measure("alarms", None, 0.3, higher=False)
    assert (worse(alarms, 0.3), worse(alarms, 0.31)) == (0, 1), "within the aim one may trade"


def test_a_line_says_whether_the_aim_and_the_baseline_are_met() -> None:
    def figure(judged: Judged) -> float | None:
        return judged.own.recall

    row, recall = Row("work", ("*",), ()), Measure("recall", figure, 0.95, 0.8)
    verdicts = [Line(row, recall, value, 1).verdict for value in (0.95, 0.9, 0.8)]
    assert verdicts == ["met", "short", "short, baseline not beaten"]
    assert Line(row, recall, None, 0).verdict == "no case here"
    assert Line(row, recall, None, 2).verdict == "nothing found"
    assert Line(row, Measure("nab", None, 55.5), None, 1).verdict == "nothing computes it yet"


def test_incidents_between_stations_1_km_apart_are_found_as_often_as_before(tmp_path: Path) -> None:
    name, folder = corridor_case(tmp_path)
    alerts = tmp_path / "alerts.jsonl"
    write_alerts(folder, alerts)
    found = list(lines([score_case(name, folder, alerts)]))
    (recall,) = [each for each in found if each.key == "incidents, 1 km apart: recall"]
    assert recall.cases == 1
    assert recall.verdict == "met"
    assert regressions([each for each in found if each.cases], read_floor()) == []

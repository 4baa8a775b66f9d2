"""Comparing configurations: the grid fits the settings, the front is the front, and nothing is proposed for nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from services.cli.tune_workers import TryFailed, points
from services.detect.detector_settings import DetectorSettings
from services.detect.recorded.backtest import run_case
from services.detect.recorded.outcomes import Kind, Outcome, halves, tally
from services.detect.recorded.proposal import proposed, table
from services.detect.recorded.recordings import read_case
from services.detect.recorded.spooled_case import SpooledCase, spooled
from services.detect.recorded.tune import (
    FACTORS,
    Configuration,
    Labelled,
    Point,
    Prices,
    combinations,
    holds,
    one_by_one,
    proposal,
    with_front,
)
from services.detect.scoring.case_files import read_truth
from services.detect.scoring.figures import Figures
from services.domain.catalogue import Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, isoformat
from services.domain.sensor import Sensor
from services.embedded.guardian import descendants
from tests.oracles.feeds import START_US, home
from tests.tether import tethered
from tests.unit.test_detect_backtest import LEAK_US, arriving, leaking, lines
from tests.unit.test_detect_recordings import case
from tests.waiting import PATIENCE_S, wait_until

PRESENT = DetectorSettings()
HEEDFUL = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Becomes a command that heeds Ctrl-C, also where the tests run in the background."""
PRACTICE = Path(__file__).parents[3] / "shared" / "practice"


def test_every_limit_of_the_grid_is_a_setting_on_both_sides_of_the_present_one() -> None:
    for domain, factors in FACTORS.items():
        found = list(one_by_one(PRESENT, [domain]))
        assert found[0].settings == PRESENT
        tried = {name for each in found for name in each.changes}
        assert tried == set(factors)
        for name, (low, high) in factors.items():
            assert low < 1 < high, name
            values = sorted(each.changes[name] for each in found if name in each.changes)
            assert len(values) == 2, f"{name}: a value of the grid is out of its bounds"
            assert values[0] < getattr(PRESENT, name) < values[1]
    assert set(FACTORS) == set(Domain)


def test_named_values_are_combined_and_wrong_ones_refused() -> None:
    found = list(combinations(PRESENT, {"continuous_min_h": [8, 12], "burst_night_h": [1, 2.5]}))
    assert [dict(each.changes) for each in found] == [
        {},
        {"continuous_min_h": 8, "burst_night_h": 1},
        {"continuous_min_h": 8},
        {"burst_night_h": 1},
    ], "12 and 2.5 are the present values"
    for wrong in ({"continuos_min_h": [8]}, {"continuous_min_h": [0.1]}):
        with pytest.raises(InvalidInput):
            list(combinations(PRESENT, wrong))
    tenths = [2.0 + i / 10 for i in range(15)]
    with pytest.raises(InvalidInput, match="at most 200"):
        list(combinations(PRESENT, {"burst_night_h": tenths, "zone_burst_h": tenths}))


def point(name: str, false_alarms: int, found: int, median: float, unjudged: int = 0) -> Point:
    figures = Figures(events=10, found=found, delays_h=(median,) * found)
    return Point(Configuration(name, PRESENT, {name: 1.0}), figures, false_alarms, unjudged)


def test_the_front_holds_what_nothing_beats_and_the_proposal_costs_no_event() -> None:
    points = with_front(
        [
            point("present", 5, 9, 20),
            point("quieter", 2, 9, 24),
            point("quieter and slower", 2, 9, 30),
            point("blind", 0, 3, 10),
            point("eager", 9, 10, 10),
            point("unknown", 1, 9, 20, unjudged=4),
        ]
    )
    front = {each.configuration.name for each in points if each.front}
    assert front == {"present", "quieter", "blind", "eager", "unknown"}
    assert proposal(points).configuration.name == "quieter"
    assert proposal(points[:1]) is points[0]


def judged(name: str, outcomes: list[Outcome]) -> Point:
    counted = tally(outcomes)
    delays = tuple(sorted(each.hours for each in outcomes if each.kind is Kind.FOUND))
    figures = Figures(events=counted.events, found=counted.found, delays_h=delays)
    changes = {} if name == "present" else {name: 1.0}
    return Point(
        Configuration(name, PRESENT, changes), figures, counted.false_alarms, 0, outcomes=tuple(outcomes)
    )  # fmt: skip


def test_prices_decide_between_a_missed_leak_and_false_alarms_and_the_text_says_both() -> None:
    leak = Outcome(Kind.FOUND, "M1", "leak at M1, 1 May 2026", 30.0)
    wrong = [Outcome(Kind.FALSE, f"M{i}", f"leak at M{i}, 2 May 2026") for i in range(2, 6)]
    deaf = Outcome(Kind.MISSED, "M1", leak.label)
    points = with_front([judged("present", [leak, *wrong]), judged("deaf", [deaf])])
    assert proposal(points).configuration.name == "present", "it would miss more"
    assert proposed(points) is None
    dear_visits = Prices(false_alarm=100, missed=300, hour=0)
    assert proposal(points, dear_visits).configuration.name == "deaf"
    text = proposed(points, dear_visits)
    assert text is not None
    assert "# It costs least: 300 instead of 400" in text
    assert "#   no longer found: leak at M1, 1 May 2026" in text
    assert text.count("no false alarm any more") == 4
    dear_leaks = Prices(false_alarm=100, missed=300, hour=2)
    assert proposal(points, dear_leaks).configuration.name == "deaf", "300 is less than 460"
    assert proposal(points, Prices(100, 900, 2)).configuration.name == "present"
    assert any("460" in line for line in table(points, dear_leaks, complete=True))


def test_a_configuration_that_helps_one_half_of_the_sensors_and_harms_the_other_is_doubted() -> (
    None
):
    names = [f"M{i}" for i in range(40)]
    one = [name for name in names if halves([Outcome(Kind.FALSE, name, name)])[0].false_alarms]
    other = [name for name in names if name not in one]
    assert min(len(one), len(other)) >= 12, "a half is about a half"
    now = [Outcome(Kind.FALSE, name, name) for name in one[:12]]
    fitted = [Outcome(Kind.FALSE, name, name) for name in other[:6]]
    present, best = judged("present", now), judged("fitted", fitted)
    assert holds(present, best) == (True, False)
    text = proposed([present, best])
    assert text is not None
    assert "better in one half and worse in the other" in text
    assert holds(present, judged("fine", now[:6])) == (True, True)


def tuned(*arguments: object) -> tuple[str, str]:
    result = CliRunner().invoke(application(), ["tune", *map(str, arguments)])
    assert result.exception is None, result.exception
    return result.stdout, result.stderr


def labelled(folder: Path) -> Path:
    """A leak from day 22 on, and a home that ran its tap all of day 20."""
    use = home(24 * 24, seed=4)
    use[20 * 24 : 20 * 24 + 18] += 30
    case(folder, lines(leaking()) + lines(use, "M2"))
    window = {"series": ["M2"], "start": isoformat(START_US + 20 * DAY_US)}
    truth = {
        "case": "one", "domain": "water",
        "eval_start": isoformat(START_US + 14 * DAY_US), "eval_end": isoformat(START_US + 24 * DAY_US),
        "events": [{"id": "e0", "series": ["M1"], "kind": "leak", "start": isoformat(LEAK_US),
                    "end": isoformat(START_US + 24 * DAY_US)}],
        "benign": [{**window, "end": isoformat(START_US + 21 * DAY_US), "kind": "tap"}],
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


def test_the_command_shows_the_trade_and_proposes_settings_that_can_be_pasted(
    tmp_path: Path,
) -> None:
    folder = labelled(tmp_path / "one")
    config = tmp_path / "quiet.toml"
    shown, progress = tuned(folder, "--limit", "continuous_min_h=12,20", "--out", config)
    assert "2 of 2: continuous_min_h = 20" in progress
    rows_text, _, snippet = shown.partition("\n\n")
    rows = {line.partition("  ")[0]: line for line in rows_text.splitlines()}
    assert rows["continuous_min_h = 20"].endswith("*")
    assert " 1 of 1 " in rows["present"]
    assert "For a person to decide" in snippet
    assert "no false alarm any more: continuous flow at M2, 22 Mar 2026" in snippet
    assert "Careful: it rests on 1 events and 1 false alarms" in snippet
    config = tmp_path / "quiet.toml"
    assert tomllib.loads(config.read_text()) == {"detectors": {"continuous_min_h": 20}}
    assert config.read_text() == snippet, "what is shown is what is written"
    again, _ = tuned(folder, "--config", config)
    assert str(config) in again
    nothing, _ = tuned(folder, "--limit", "zone_cusum_h=5")
    assert "Nothing here finds as much as the present configuration for less." in nothing


def test_configurations_that_run_side_by_side_say_the_same_bit_by_bit(tmp_path: Path) -> None:
    folder, limits = labelled(tmp_path / "one"), ("--limit", "continuous_min_h=12,20,30")
    alone, _ = tuned(folder, *limits, "--jobs", 1)
    several, progress = tuned(folder, *limits, "--jobs", 2)
    assert several == alone
    counts = [line.partition(":")[0] for line in progress.splitlines()]
    assert counts == [f"{n} of 3" for n in range(1, 4)]


def test_a_case_in_a_file_is_the_case_with_its_late_lines(tmp_path: Path) -> None:
    header = "time,sensor_id,kind,metric,value,received_at\n"
    day = range(22 * 24, 22 * 24 + 24)
    text = arriving({hour: 22 * 24 + 26 - hour for hour in day})
    found = read_case(case(tmp_path / "one", text, header=header))
    copied = spooled(found, tmp_path / "readings")
    assert (copied.arrivals, copied.readings, dict(copied.numbered)) == (
        True, 24 * 24, dict(found.numbered),
    )  # fmt: skip
    lines_of = [list(run_case(each)) for each in (found, copied, copied)]
    assert lines_of[0] == lines_of[1] == lines_of[2]
    assert "Known late" in json.dumps(lines_of[0])


def test_what_goes_wrong_in_a_process_names_the_configuration(tmp_path: Path) -> None:
    truth = read_truth(labelled(tmp_path / "one"))
    lost = SpooledCase(
        tmp_path / "not here", ((0, Sensor("M1", SensorKind.WATER_METER)),), False, 0
    )
    histories = [Labelled(lost, truth, 1.0, 1.0)]
    several = list(combinations(PRESENT, {"continuous_min_h": [12, 20]}))
    with pytest.raises(TryFailed, match=r"cannot be tried: .*No such file"):
        list(points(several, histories, 2))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_no_process_outlives_the_command_that_started_it(tmp_path: Path, number: int) -> None:
    folder = labelled(tmp_path / "one")
    command = [sys.executable, "-c", HEEDFUL, "-m", "services.cli", "tune", folder, "--jobs", "2"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        tethered([str(word) for word in command]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        wait_until(lambda: len(list(descendants(process.pid))) >= 3, what="both processes")
        below = list(descendants(process.pid))
        process.send_signal(number)
        shown, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert shown == ""
    assert "Traceback" not in said
    wait_until(lambda: not any(map(alive, below)), what="the processes to end")
    if number == signal.SIGINT:
        assert [each.name for each in tmp_path.iterdir()] == ["one"], "nothing is left behind"


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended may wait for somebody to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.recording
@pytest.mark.skipif(not (PRACTICE / "score.py").is_file(), reason="the practice set is not here")
def test_a_practice_case_shows_its_trade() -> None:
    shown, _ = tuned(PRACTICE / "traffic" / "i24_day0", "--limit", "congestion_on_s=60,600")
    rows = {line.split("  ")[0]: line for line in shown.splitlines()}
    assert rows["present"].split()[1:4] == ["41", "of", "41"]
    assert rows["congestion_on_s = 600"].split()[3:6] != ["41", "of", "41"]

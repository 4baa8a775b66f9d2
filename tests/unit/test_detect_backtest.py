"""A backtest tells in event time what the service would have told; bounds cut what is reported, not what is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from services.detect.recorded.backtest import run_case, write_alerts
from services.domain.errors import InvalidInput, SettingError
from services.domain.instant import DAY_US, HOUR_US, isoformat
from tests.oracles.feeds import START_US, home
from tests.unit.test_detect_recordings import case

FIELDS = {
    "sensor_id", "kind", "started_at", "detected_at", "ended_at", "severity", "score", "evidence", "sentence",
}  # fmt: skip
LEAK_US = START_US + 22 * DAY_US


def lines(use: np.ndarray, name: str = "M1", hours: object = None) -> str:
    register = 100 + np.cumsum(use)
    chosen = range(len(use)) if hours is None else hours
    return "".join(
        f"{isoformat(START_US + hour * HOUR_US)},{name},customer_meter,register_l,{register[hour]:.0f}\n"
        for hour in chosen  # type: ignore[attr-defined]
    )


def leaking(days: int = 24) -> np.ndarray:
    use = home(days * 24)
    use[22 * 24 :] += 40
    return use


def test_a_backtest_tells_the_leak_in_event_time_and_writes_lines(tmp_path: Path) -> None:
    folder = case(tmp_path, lines(leaking()))
    (alert,) = run_case(folder)
    assert set(alert) >= FIELDS
    assert (alert["sensor_id"], alert["kind"], alert["ended_at"]) == ("M1", "continuous_flow", None)
    assert isoformat(LEAK_US) <= alert["detected_at"] <= isoformat(LEAK_US + DAY_US)
    assert alert["sentence"].startswith("Water has been running without a pause at meter M1")
    assert write_alerts(folder, tmp_path / "out" / "a.jsonl") == 1
    assert json.loads((tmp_path / "out" / "a.jsonl").read_text()) == alert


def test_bounds_cut_what_is_reported_and_the_warm_up_is_read(tmp_path: Path) -> None:
    folder = case(tmp_path, lines(leaking()))
    (whole,) = run_case(folder)
    assert list(run_case(folder, end_us=LEAK_US)) == []
    assert list(run_case(folder, start_us=LEAK_US)) == [whole], "the habit is learnt before --from"
    assert list(run_case(folder, start_us=LEAK_US + DAY_US)) == []


def test_silence_in_a_pause_of_the_whole_recording_is_told_when_it_is_due(tmp_path: Path) -> None:
    use = home(20 * 24)
    folder = case(tmp_path, lines(use, hours=[*range(5 * 24), *range(12 * 24, 20 * 24)]))
    (alert,) = (a for a in run_case(folder) if a["kind"] == "missing_data")
    last_us = START_US + (5 * 24 - 1) * HOUR_US
    assert isoformat(last_us + DAY_US) < alert["detected_at"] < isoformat(last_us + 25 * HOUR_US)
    assert alert["ended_at"] == isoformat(START_US + 12 * DAY_US)
    until = list(run_case(folder, end_us=START_US + 8 * DAY_US))
    assert [(a["kind"], a["ended_at"]) for a in until] == [("missing_data", None)]


def test_the_order_of_the_lines_means_nothing(tmp_path: Path) -> None:
    text = lines(leaking())
    mixed = text.splitlines(keepends=True)
    np.random.default_rng(3).shuffle(mixed)
    wanted = list(run_case(case(tmp_path / "a", text)))
    assert list(run_case(case(tmp_path / "b", "".join(mixed + mixed[:99])))) == wanted


def arriving(late_hours: dict[int, int]) -> str:
    """A burst on day 22; lines of some hours arrive that many hours late."""
    use = home(24 * 24)
    use[22 * 24 : 22 * 24 + 8] += 900
    out = []
    for hour, line in enumerate(lines(use).splitlines()):
        came = isoformat(START_US + (hour + late_hours.get(hour, 0)) * HOUR_US + 9_000_000)
        out.append(f"{line},{came}\n")
    return "".join(out)


def test_late_lines_are_judged_as_the_service_would(tmp_path: Path) -> None:
    header = "time,sensor_id,kind,metric,value,received_at\n"
    day = range(22 * 24, 22 * 24 + 24)
    in_time = case(tmp_path / "a", arriving({}), header=header)
    [known] = (a for a in run_case(in_time) if a["kind"] == "burst")
    # a day of buffered lines arrives behind the first line of the day after
    late = case(
        tmp_path / "b", arriving({hour: 22 * 24 + 26 - hour for hour in day}), header=header
    )
    told = list(run_case(late))
    [burst] = (a for a in told if a["kind"] == "burst")
    assert burst["started_at"] == known["started_at"]
    assert burst["detected_at"] == isoformat(START_US + (22 * 24 + 26) * HOUR_US + 9_000_000)
    assert burst["evidence"]["numbers"]["in_time_told_unix_s"] == pytest.approx(
        np.datetime64(known["detected_at"][:-1]).astype(float), abs=3600
    )
    assert "Known late" in burst["sentence"]
    again = arriving({}) + arriving(dict.fromkeys(day, 40))
    twice = case(tmp_path / "c", again, header=header)
    assert list(run_case(twice)) == list(run_case(in_time)), "what comes again changes nothing"


def command(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["backtest", *map(str, arguments)])
    if isinstance(result.exception, (InvalidInput, SettingError)):
        return 2, result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_writes_one_file_or_a_folder_of_them(tmp_path: Path) -> None:
    root = tmp_path / "cases"
    case(root / "one", lines(leaking()))
    case(root / "two", lines(home(24)) + "rubbish\n")
    out = tmp_path / "deep" / "OUT.jsonl"
    assert command(root / "one", "--alerts", out)[0] == 0
    (alert,) = map(json.loads, out.read_text().splitlines())
    assert alert["sensor_id"] == "M1"
    status, _, said = command(root, "--alerts", tmp_path / "folder")
    assert status == 0
    assert "two: 1 line is not understood and left out; line 26:" in said
    assert (tmp_path / "folder" / "one.jsonl").read_text() == out.read_text()
    assert (tmp_path / "folder" / "two.jsonl").read_text() == ""
    status, _, said = command(root, "--alerts", out)
    assert (status, "for more than one case" in said) == (2, True)


def test_a_line_is_what_a_person_was_told_and_its_end_stands_beside_it(tmp_path: Path) -> None:
    alert, *_ = run_case(case(tmp_path / "a", lines(leaking(30))))
    until = np.datetime64(alert["detected_at"][:-1]) - np.datetime64(isoformat(START_US)[:-1])
    hours = int(until / np.timedelta64(1, "h")) + 1
    [then] = run_case(case(tmp_path / "b", lines(leaking(30)[:hours])))
    assert "last" not in then, "nothing came after it"
    assert alert | {"last": None} == then | {"last": None}
    litres = [a["evidence"]["numbers"]["litres_so_far"] for a in (alert, alert["last"])]
    assert litres[1] > litres[0]


def test_a_rise_of_severity_is_a_line_of_its_own_with_its_own_numbers(tmp_path: Path) -> None:
    use = home(30 * 24)
    use[22 * 24 : 23 * 24] += 5
    use[23 * 24 : 27 * 24] += 400
    told = [a for a in run_case(case(tmp_path, lines(use))) if a["kind"] == "continuous_flow"]
    assert [a["severity"] for a in told] == ["warning", "critical"]
    assert told[0]["detected_at"] < told[1]["detected_at"]
    assert told[0]["ended_at"] == told[1]["ended_at"] is not None
    assert told[0]["evidence"]["value"] < told[1]["evidence"]["value"]


def test_cases_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, other = (case(tmp_path / name / "leak", lines(home(24))) for name in "ab")
    status, _, said = command(one, other, "--alerts", tmp_path / "out")
    assert (status, "both would be written as leak" in said) == (2, True)
    assert command(tmp_path, "--alerts", tmp_path / "out")[0] == 0, (
        "the folder above tells them apart"
    )


def test_a_sensor_that_cannot_be_called_so_and_one_without_readings_are_said(
    tmp_path: Path,
) -> None:
    text = lines(home(24)) + lines(home(24), "M 1/2")
    folder = case(tmp_path / "one", text, {"sensors": [{"sensor_id": "M1"}, {"sensor_id": "M9"}]})
    status, _, said = command(folder)
    assert status == 0
    assert "24 lines are left out; sensor_id: 'M 1/2' is not valid" in said
    assert "describes 1 sensors without readings: M9" in said
    assert "no detector knows" not in said


def test_the_command_takes_the_service_s_settings_file(tmp_path: Path) -> None:
    folder = case(tmp_path / "one", lines(leaking()))
    config = tmp_path / "limits.toml"
    config.write_text("[detectors]\ncontinuous_min_h = 72\ncontinuous_vendor_h = 240\n")
    assert "continuous_flow" in command(folder)[1]
    assert "continuous_flow" not in command(folder, "--config", config)[1]
    config.write_text("[detectors]\ncontinuous_min = 72\n")
    status, _, said = command(folder, "--config", config)
    assert status == 2
    assert "did you mean continuous_min_h" in said
    assert command(folder, "--config", tmp_path / "none.toml")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "or --database"),
        (["nowhere"], "readings.csv"),
        (["--database", "somewhere"], "the only case"),
        (["x", "--from", "yesterday"], "--from"),
        (["x", "--from", "2026-03-02T00:00:00Z", "--to", "2026-03-01T00:00:00Z"], "after --from"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(arguments: list[str], said: str) -> None:
    status, _, problem = command(*arguments)
    assert (status, said in problem) == (2, True)

"""`citygauge score` prints the figures, names misses and false alarms, writes JSON and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from tests.unit.test_score_page import write_case


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(
        application(), ["score", *map(str, arguments)], env={"COLUMNS": "100"}
    )
    return done.exit_code, done.stdout


def test_it_prints_a_line_for_each_family_and_names_what_went_wrong(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    code, text = run(case, case / "alerts.jsonl", "-v")
    assert code == 0
    leak = next(line for line in text.splitlines() if line.split()[:1] == ["leak"])
    assert leak.split() == ["leak", "1", "1", "1.000", "1.000", "0", "0.00", "24.5", "h"]
    assert "95 % intervals of all: recall .095 to .905, precision .061 to .792" in text
    assert "missed e2: backflow at A" in text
    assert "false alarm: stuck meter at A, told 15 May 2026 12:00 during" in text
    assert "missed" not in run(case, case / "alerts.jsonl")[1]


def test_json_holds_the_same_figures(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    (document,) = json.loads(run(case, case / "alerts.jsonl", "--json")[1])
    assert (document["events"], document["found"], document["false_alarms"]) == (2, 1, 2)
    assert document["hits"] == {"e1": 24.5}
    assert document["misses"] == ["e2"]
    assert document["sensor_days"] == 19.0
    assert [each["sensor_id"] for each in document["false_alarm_episodes"]] == ["A", "unknown"]


def test_a_tree_of_cases_is_scored_with_a_tree_of_alerts_and_pooled(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        case = write_case(tmp_path / "cases" / name)
        if name != "three":
            (tmp_path / f"{name}.jsonl").write_text((case / "alerts.jsonl").read_text())
    page = tmp_path / "page.html"
    code, text = run(tmp_path / "cases", tmp_path, "--html", page)
    assert code == 0
    assert "2 water cases" in text
    assert page.read_text().count("<article") == 8


@pytest.mark.parametrize("wrong", ["none.jsonl", "."])
def test_alerts_that_are_not_there_are_an_error(tmp_path: Path, wrong: str) -> None:
    case = write_case(tmp_path / "case")
    (tmp_path / "empty").mkdir()
    assert run(case, tmp_path / "empty" / wrong)[0] != 0

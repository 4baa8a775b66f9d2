"""Tuning on a city's own history: verdicts are the truth, and what nobody has judged is counted apart."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from services.detect.recorded.backtest import run_case
from services.detect.recorded.verdicts import judged_alerts, truth_of
from services.domain.alert import DETECTOR, AlertEvent, EventKind, Verdict, alert_id
from services.domain.condition import Rule
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, from_us, parse_time
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect, transaction
from tests.integration.test_backtest_database import stored
from tests.oracles.feeds import START_US, home
from tests.unit.test_detect_backtest import leaking, lines
from tests.unit.test_detect_recordings import case


def history(folder: Path) -> Path:
    """M1 leaks from day 22 on; M2 ran its tap for most of day 20; a station that is never looked at."""
    tap = home(24 * 24, seed=4)
    tap[20 * 24 : 20 * 24 + 22] += 30
    road = "2026-03-02T00:00:00Z,S1,loop_detector,speed_kmh,90\n"
    return case(folder, lines(leaking()) + lines(tap, "M2") + road)


def told_and_judged(url: str, folder: Path, verdicts: Mapping[str, Verdict | None]) -> None:
    """Store the alerts of the present configuration as the service would have, with verdicts by subject."""
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        for line in run_case(folder):
            if line["sensor_id"] not in verdicts:
                continue
            rule, subject = Rule(line["rule"]), str(line["sensor_id"])
            case_id = alert_id(rule, subject, parse_time(line["started_at"]))
            facts = {name: line[name] for name in ("severity", "score", "sentence", "evidence")}
            told = {**facts, "rule": rule.value, "subject": subject, "started_at": line["started_at"]}  # fmt: skip
            at = from_us(parse_time(line["detected_at"]))
            events = [AlertEvent(uuid.uuid4(), case_id, EventKind.RAISED, at, DETECTOR, told)]
            if line["ended_at"]:
                end = from_us(parse_time(line["ended_at"]))
                events.append(
                    AlertEvent(uuid.uuid4(), case_id, EventKind.CLEARED, end, DETECTOR, facts)
                )
            with transaction(conn):
                repository.apply(events)
                verdict = verdicts[subject]
                if verdict is not None:
                    data = {"verdict": verdict.value}
                    repository.act(case_id, EventKind.RESOLVED, "ada", at, data)


def test_verdicts_decide_what_counts(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = history(tmp_path / "one")
    stored(database_url, folder)
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*options: str) -> str:
        arguments = ["tune", "--database", "--limit", "continuous_min_h=12,60", *options]
        result = CliRunner().invoke(application(), arguments)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    with pytest.raises(InvalidInput, match="verdicts"):
        run()
    verdicts = {"M1": Verdict.REAL, "M2": Verdict.LEGITIMATE_USE}
    told_and_judged(database_url, folder, verdicts)
    with connect(database_url, "test", autocommit=True) as conn:
        alerts = judged_alerts(conn, None, None)
        truth = truth_of(alerts, START_US, START_US + 24 * DAY_US)
        assert {e.series for e in truth.events} == {("M1",)}
        assert {w.series for w in truth.benign} == {("M2",)}
        assert judged_alerts(conn, None, from_us(START_US)) == []
    rows = {line.partition("  ")[0]: line.split() for line in run().splitlines()}
    now, later = rows["present"], rows["continuous_min_h = 60"]
    # found 1 of 1, missed 0, false alarms 1; the silence of S1 is told, and nobody has judged it
    assert now[1:7] == ["1", "of", "1", "0", "1", "1"]
    assert later[-3:] != now[-3:], "another limit, another time to detect"

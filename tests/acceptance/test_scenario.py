"""A seeded district through broker, ingest, database and detection: exactly its known alerts, each once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.processes import TetheredProcess
from services.store import accounting
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from services.store.feed import FeedReader
from tests.waiting import PATIENCE_S, wait_until

SCENARIO = """
seed = 7
history_h = 504
duration_h = 240

[water]
homes = 40
"""
FAULT = '[[water.fault]]\nkind = "{}"\nsensor = {}\nstart_h = {}\nduration_h = {}\nsize = {}\n'
FAULTS = (
    ("leak", 4, 24, 120, 20),
    ("burst", 12, 46, 6, 1500),
    ("backflow", 20, 74, 12, 60),
    ("silent", 28, 100, 60, 1),
)
RULES = {
    "continuous_flow": "continuous_flow",
    "burst": "burst",
    "backflow": "backflow",
    "missing_data": "silent",
}
"""The truth's word for an event -> the rule that must tell it."""
LATEST = timedelta(hours=30)
SPEED = "max"
"""A batch of the feed may hold days: silence is judged within it all the same."""


@pytest.fixture
def environment(database_url: str, own_broker: EmbeddedBroker) -> dict[str, str]:
    """What every command of the run is given."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "MQTT_URL": own_broker.url(),
        "CITYGAUGE_INGEST_LATE_AFTER_S": "0",
        "CITYGAUGE_DETECT_CLOCK": "stream",
    }


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    def run(*arguments: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env={**environment, **more},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_seeded_district_raises_exactly_its_known_alerts(
    command: Callable[..., str],
    environment: dict[str, str],
    own_broker: EmbeddedBroker,
    database_url: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "district.toml").write_text(SCENARIO + "".join(FAULT.format(*f) for f in FAULTS))
    simulate = (
        "simulate",
        "water",
        "--scenario",
        "district.toml",
        "--start",
        "2025-08-01T00:00:00Z",
    )
    command(*simulate, "--no-publish", "--sensors-out", "sensors.csv", "--truth", "truth.json")
    command("sensors", "import", "sensors.csv")
    services = [
        TetheredProcess.start(
            name,
            [sys.executable, "-m", "services.cli", name],
            log=tmp_path / f"{name}.log",
            environment=environment,
            grace=PATIENCE_S,
        )
        for name in ("ingest", "detect")
    ]
    try:
        wait_until(lambda: b"broker connected" in services[0].said())
        said = command(*simulate, "--speed", SPEED, MQTT_URL=own_broker.url(DEVICE_USER))
        published = json.loads(said)["readings"]
        with connect(database_url, "test", autocommit=True) as conn:
            wait_until(lambda: accounting.totals(conn).stored == published)
            wait_until(lambda: FeedReader(conn, "detect").lag().batches == 0)
            alerts = AlertRepository(conn).page(limit=100, now=datetime.now(UTC)).items
    finally:
        for service in services:
            service.stop()

    truth = json.loads((tmp_path / "truth.json").read_text())["events"]
    known = {(RULES[event["kind"]], *event["series"]): event for event in truth}
    assert len(known) == len(FAULTS)
    assert sorted((alert.rule.value, alert.subject) for alert in alerts) == sorted(known)
    for alert in alerts:
        event = known[alert.rule.value, alert.subject]
        start, end = (datetime.fromisoformat(event[name]) for name in ("start", "end"))
        assert abs(alert.started_at - start) < timedelta(hours=2), alert.sentence
        assert start < alert.raised_at < start + LATEST, alert.sentence
        assert alert.cleared_at is not None, alert.sentence
        assert alert.cleared_at > end - timedelta(hours=2), alert.sentence

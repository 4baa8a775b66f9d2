"""Recordings of real sensors go through broker, ingest and database, each reading once, and come back from the API."""

import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.cli.demo_parts import Services, answers
from services.embedded.broker import EmbeddedBroker
from services.embedded.processes import free_port
from services.store.accounting import Account, totals
from services.store.connection import connect
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.recording

COLUMNS = {
    "register_l": "register_litres",
    "volume_veh": "count_veh",
    "speed_kmh": "speed_km_per_h",
    "occupancy_pct": "occupancy_pct",
}
History = dict[tuple[str, str], dict[str, float]]


def shared_folder() -> Path:
    """The folder of CITYGAUGE_SHARED, or ../shared beside the repository."""
    given = os.environ.get("CITYGAUGE_SHARED")
    return Path(given) if given else Path(__file__).parents[3] / "shared"


def recording(name: str) -> Path:
    path = shared_folder() / "practice" / "replay" / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip(f"the recording {path} is not there; CITYGAUGE_SHARED may name its folder")
    return path


def history_of(path: Path) -> History:
    """What the file says: (time, sensor) -> column -> value."""
    found: History = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            values = found.setdefault((row["time"], row["sensor_id"]), {})
            values[COLUMNS[row["metric"]]] = float(row["value"])
    return found


@dataclass(frozen=True)
class Running:
    """Ingest and API at work, and an API key."""

    environment: dict[str, str]
    client: httpx.Client

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def account(self) -> Account:
        with connect(self.environment["DATABASE_URL"], "test", autocommit=True) as conn:
            return totals(conn)

    def history(self, sensors: list[str]) -> History:
        """What the API says of all the sensors, page after page."""
        found: History = {}
        after: str | None = None
        while True:
            parameters: dict[str, object] = {
                "sensor_id": sensors,
                "start": "2010-01-01T00:00:00Z",
                "end": "2030-01-01T00:00:00Z",
                "limit": 3000,
            }
            if after is not None:
                parameters["after"] = after
            answer = self.client.get("/v1/readings", params=parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            columns = page["columns"]
            for row, key in enumerate(zip(columns["time"], columns["sensor_id"], strict=True)):
                assert key not in found, f"{key} came twice"
                found[key] = {
                    name: columns[name][row]
                    for name in columns
                    if name in COLUMNS.values() and columns[name][row] is not None
                }
            after = page["next"]
            if after is None:
                return found


@pytest.fixture
def running(own_broker: EmbeddedBroker, database_url: str, tmp_path: Path) -> Iterator[Running]:
    environment = {
        "DATABASE_URL": database_url,
        "MQTT_URL": own_broker.url(),
        "CITYGAUGE_API_PORT": str(free_port()),
        "CITYGAUGE_INGEST_METRICS_PORT": str(free_port()),
        "CITYGAUGE_INGEST_HEARTBEAT_S": "0.2",
    }
    services = Services(environment, tmp_path)
    api = f"http://127.0.0.1:{environment['CITYGAUGE_API_PORT']}"
    metrics = f"http://127.0.0.1:{environment['CITYGAUGE_INGEST_METRICS_PORT']}/metrics"
    try:
        services.start("ingest")
        services.start("api")
        subscribed = partial(answers, metrics, "^citygauge_ingest_broker_connected 1")
        wait_until(subscribed, what="ingest to subscribe")
        wait_until(partial(answers, f"{api}/healthz"), what="the API to answer")
        with httpx.Client(base_url=api, timeout=PATIENCE_S) as client:
            started = Running(environment, client)
            key = started.command("keys", "create", "test").strip()
            client.headers["Authorization"] = f"Bearer {key}"
            yield started
    finally:
        services.stop()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("water_daiad", ()),
        ("traffic_i24", ()),
        ("traffic_i24", ("--split-metrics",)),
    ],
)
def test_a_recording_is_stored_once_and_comes_back(
    running: Running, name: str, options: tuple[str, ...]
) -> None:
    path = recording(name)
    expected = history_of(path)
    values = sum(map(len, expected.values()))
    published = json.loads(running.command("replay", str(path), "--register", *options))
    sent = values if options else len(expected)
    assert published["readings"] == published["messages"] == sent
    assert published["unheard"] == 0

    def settled() -> Account | None:
        account = running.account()
        done = account.stored + account.duplicate + account.rejected
        return account if done >= sent and not account.in_flight else None

    account = wait_until(settled, what="everything to be accounted for")
    assert account.received == account.stored == sent
    assert (account.duplicate, account.rejected, account.conflicting) == (0, 0, 0)
    assert account.stored - account.merged == len(expected)
    sensors = sorted({sensor for _, sensor in expected})
    assert running.history(sensors) == expected
    if options:
        return
    again = json.loads(running.command("replay", str(path)))
    assert again["readings"] == sent
    wait_until(lambda: running.account().duplicate == sent, what="the duplicates to be counted")
    assert running.account().stored == sent
    assert running.history(sensors) == expected

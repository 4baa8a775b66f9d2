"""The commands of deploy, run outside containers: from an empty volume to a stored reading, and a polite stop."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.processes import free_port
from tests.deployed_fixtures import create, variable
from tests.deployment import DEPLOY, dashboard_expressions, own_services
from tests.prometheus import scraping
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

CITYGAUGE = Path(sysconfig.get_path("scripts")) / "citygauge"
HOST = "127.0.0.2"
"""Stands for 0.0.0.0 inside a container: still loopback, and not where the services listen by themselves."""
SENSORS = "id,kind,unit\nm-1,water_meter,L\n"
TARGETS = {
    "ingest:9101": "ingest",
    "detect:9102": "detect",
    "notify:9103": "notify",
    "api:8080": "api",
}


class Installation:
    """The addresses and secrets of one installation, and what runs of it."""

    def __init__(self, database_url: str, mqtt_url: str, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: str(free_port()) for name in ("ingest", "detect", "notify", "api")}
        self.addresses = {"DATABASE_URL": database_url, "MQTT_URL": mqtt_url}
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {**inherited, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}

    def variables(self, name: str) -> dict[str, str]:
        """The environment of one service of compose.yaml, with this test's ports and addresses."""
        given: dict[str, str] = dict(own_services()[name]["environment"])
        given["CITYGAUGE_CONFIG"] = str(DEPLOY / "citygauge.example.toml")
        for variable_ in given:
            if variable_.endswith("_PORT"):
                given[variable_] = self.ports[name]
            elif variable_.endswith("_HOST"):
                given[variable_] = HOST
        return {**self.environment, **self.addresses, **given}

    def command(self, name: str, *arguments: str, text: str = "") -> str:
        """Run `citygauge` as `docker compose exec NAME` would; what it says on stdout."""
        done = subprocess.run(
            [CITYGAUGE, *arguments],
            env=self.variables(name),
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start the command of one service of compose.yaml."""
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            return subprocess.Popen(
                tethered([CITYGAUGE, *own_services()[name]["command"]]),
                env=self.variables(name),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def healthy(self, name: str) -> bool:
        """Whether the service's health check, as compose.yaml has it, is content."""
        kind, program, *arguments = own_services()[name]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        script = arguments[-1]
        _, _, rest = script.partition("http://127.0.0.1:")
        port = rest.split("/")[0]
        arguments[-1] = script.replace(f"127.0.0.1:{port}", f"{HOST}:{self.ports[name]}")
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environment, capture_output=True, check=False
        )
        return done.returncode == 0

    def subscribed(self) -> bool:
        """Whether what is published reaches ingest; it serves its metrics before."""
        return "citygauge_ingest_broker_connected 1.0" in self.fetch("ingest", "/metrics")

    def fetch(self, name: str, path: str, key: str = "") -> str:
        """What a service answers to a GET."""
        url = f"http://{HOST}:{self.ports[name]}{path}"
        request = urllib.request.Request(url)
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
        return text

    def log(self, name: str) -> str:
        """What a service has said."""
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
def installation(
    tools: dict[str, str], secrets: dict[str, str], deployed_broker: int, tmp_path: Path
) -> Installation:
    """A new installation: database and broker run, nothing of ours does yet."""
    mqtt_url = variable(secrets["citygauge.env"], "MQTT_URL")
    assert "@mosquitto:1883" in mqtt_url
    return Installation(
        create(tools, secrets),
        mqtt_url.replace("@mosquitto:1883", f"@127.0.0.1:{deployed_broker}"),
        tmp_path,
    )


@pytest.fixture
def running(installation: Installation) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Every service of compose.yaml, healthy, in the order of the file."""
    with ExitStack() as stack:
        processes = {}
        for name in own_services():
            if name == "migrate":
                installation.command(name, *own_services()[name]["command"])
                continue
            processes[name] = installation.start(name)
            stack.callback(processes[name].wait)
            stack.callback(processes[name].kill)
        for name in processes:
            wait_until(lambda each=name: installation.healthy(each), what=f"{name} to be healthy")
        wait_until(installation.subscribed, what="ingest to subscribe")
        yield processes


def test_from_an_empty_volume_to_a_stored_reading(
    installation: Installation,
    running: dict[str, "subprocess.Popen[bytes]"],
    secrets: dict[str, str],
) -> None:
    installation.command("api", "sensors", "import", "-", text=SENSORS)
    key = installation.command("api", "keys", "create", "shift", "--scope", "operate").strip()
    now = datetime.now(UTC).replace(microsecond=0)
    publish.single(
        "citygauge/v1/water/m-1/reading",
        json.dumps({"time": now.isoformat(), "values": {"register": 1234.0}}),
        qos=1,
        hostname="127.0.0.1",
        port=urlsplit(installation.addresses["MQTT_URL"]).port or 0,
        auth={"username": DEVICE_USER, "password": secrets["device-password"].strip()},
        protocol=MQTTProtocolVersion.MQTTv5,
    )

    def stored() -> bool:
        return "citygauge_ingest_stored_total 1.0" in installation.fetch("ingest", "/metrics")

    wait_until(stored, what="the reading to be stored")
    latest: Any = json.loads(installation.fetch("api", "/v1/sensors/m-1/latest", key))
    assert "1234.0" in json.dumps(latest)
    for name in running:
        assert f"# TYPE citygauge_{name}_" in installation.fetch(name, "/metrics")

    def watched() -> bool:
        return "citygauge_detect_readings_total 1.0" in installation.fetch("detect", "/metrics")

    wait_until(watched, what="the reading to pass the detectors")
    assert key not in "".join(map(installation.log, running))


def test_a_polite_stop_ends_every_service_in_its_time(
    installation: Installation, running: dict[str, "subprocess.Popen[bytes]"]
) -> None:
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    for name, process in running.items():
        assert process.wait(timeout=PATIENCE_S) == 0, installation.log(name)
        assert "Traceback" not in installation.log(name)
        for secret in installation.addresses.values():
            password = urlsplit(secret).password
            assert password
            assert password not in installation.log(name)


def test_prometheus_scrapes_every_service_and_alarms_nobody(
    installation: Installation,
    running: dict[str, "subprocess.Popen[bytes]"],
    tmp_path: Path,
) -> None:
    assert set(TARGETS.values()) == set(running)
    targets = {named: f"{HOST}:{installation.ports[name]}" for named, name in TARGETS.items()}
    with scraping(targets, tmp_path) as prometheus:
        wait_until(prometheus.ready, what="Prometheus to answer")

        def scraped_twice() -> bool:
            counts = prometheus.evaluate("count_over_time(up[1m])")
            return len(counts) == len(TARGETS) and all(float(one["value"][1]) > 1 for one in counts)

        wait_until(scraped_twice, what="every service to be scraped twice")
        active = prometheus.ask("targets")["activeTargets"]
        assert {one["scrapeUrl"]: one["lastError"] for one in active} == {
            f"http://{address}/metrics": "" for address in targets.values()
        }
        rules = prometheus.ask("rules")["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} == {"ok"}
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
        answered = {each: prometheus.evaluate(each) for each in dashboard_expressions()}
        unlabelled = [each for each in answered if " by (" not in each]
        assert [each for each in unlabelled if not answered[each]] == []

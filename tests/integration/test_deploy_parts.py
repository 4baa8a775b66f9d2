"""deploy/ outside containers: the broker and the database run with its settings, its scripts do what they say."""

import sysconfig
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from services.embedded.broker_configuration import DEVICE_USER, SERVICE_USER
from services.store.migrations import migrate
from tests.deployed_fixtures import POSTGRES, create, run, variable
from tests.deployment import DEPLOY
from tests.waiting import wait_until


class Client:
    """A client that is driven by hand until something has happened."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.answers: list[str] = []
        self.inbox: list[tuple[str, bytes]] = []
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, client_id=f"test-{user}"
        )
        self.mqtt.username_pw_set(user, password)
        self.mqtt.on_connect = lambda *facts: self.answers.append(str(facts[3]))
        self.mqtt.on_subscribe = lambda *facts: self.answers.extend(map(str, facts[3]))
        self.mqtt.on_publish = lambda *facts: self.answers.append(str(facts[3]))
        self.mqtt.on_message = lambda _, __, message: self.inbox.append(
            (message.topic, message.payload)
        )
        self.mqtt.connect("127.0.0.1", port)

    def until_answered(self) -> str:
        """The next answer of the broker, in its own words."""
        return wait_until(self._answer, what="an answer of the broker")

    def until_told(self) -> tuple[str, bytes]:
        """The next message."""
        return wait_until(self._message, what="a message")

    def _answer(self) -> str | None:
        self.mqtt.loop(timeout=0.01)
        return self.answers.pop(0) if self.answers else None

    def _message(self) -> tuple[str, bytes] | None:
        self.mqtt.loop(timeout=0.01)
        return self.inbox.pop(0) if self.inbox else None

    def close(self) -> None:
        self.mqtt.disconnect()
        while self.mqtt.loop(timeout=0.01) == mqtt.MQTT_ERR_SUCCESS:
            pass


def test_the_broker_runs_with_the_deployed_settings_and_secrets(
    deployed_broker: int, secrets: dict[str, str]
) -> None:
    url = urlsplit(variable(secrets["citygauge.env"], "MQTT_URL"))
    assert url.username == SERVICE_USER
    service = Client(deployed_broker, SERVICE_USER, url.password or "")
    assert service.until_answered() == "Success"
    service.mqtt.subscribe("$share/citygauge/citygauge/#", qos=1)
    assert service.until_answered() == "Granted QoS 1"

    device = Client(deployed_broker, DEVICE_USER, secrets["device-password"].strip())
    assert device.until_answered() == "Success"
    device.mqtt.publish("citygauge/v1/water/m-1/reading", b"{}", qos=1)
    assert device.until_answered() == "Success"
    assert service.until_told() == ("citygauge/v1/water/m-1/reading", b"{}")
    device.mqtt.publish("elsewhere", b"{}", qos=1)
    assert device.until_answered() == "Not authorized"

    stranger = Client(deployed_broker, DEVICE_USER, "wrong")
    assert stranger.until_answered() == "Not authorized"
    for client in (service, device, stranger):
        client.close()


def test_without_containers_the_readmes_lines_make_database_schema_and_key(
    tools: dict[str, str], secrets: dict[str, str], tmp_path: Path
) -> None:
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    here = f"@127.0.0.1:{tools['PGPORT']}/"
    addresses = tmp_path / "citygauge.env"
    addresses.write_text(addresses.read_text().replace("@timescaledb:5432/", here))
    readme = (DEPLOY / "README.md").read_text()
    lines = [line for line in readme.splitlines() if line.startswith("(set -a; ")]
    assert len(lines) == 5
    program = Path(sysconfig.get_path("scripts")) / "citygauge"
    (tmp_path / "sensors.csv").write_text("id,kind\nm-1,water_meter\n")
    replaced = {
        "runuser --user postgres -- ": "",
        "/opt/citygauge/bin/citygauge": str(program),
        "/etc/citygauge/citygauge.env": str(addresses),
        "/etc/citygauge/citygauge.toml": str(tmp_path / "citygauge.toml"),
        "deploy/secrets/": f"{tmp_path}/",
        "deploy/timescaledb/": f"{POSTGRES}/",
        " sensors.csv": f" {tmp_path}/sensors.csv",
        " citygauge-everything": f" {tmp_path}/everything",
    }
    for number, line in enumerate(lines):
        for old, new in replaced.items():
            line = line.replace(old, new)  # noqa: PLW2901
        run(tools, "sh", "-c", line)
        if number == 0:
            migrate(variable(addresses.read_text(), "DATABASE_URL"))
    with psycopg.connect(variable(addresses.read_text(), "DATABASE_URL")) as connection:
        keys = connection.execute("SELECT name, scopes FROM api_key").fetchall()
        assert keys == [("shift", ["operate"])]
        assert connection.execute("SELECT id FROM sensor").fetchall() == [("m-1",)]
    assert "m-1" in (tmp_path / "everything" / "sensors.csv").read_text()


def test_the_services_role_can_do_its_work_and_is_no_superuser(
    tools: dict[str, str], secrets: dict[str, str]
) -> None:
    url = create(tools, secrets)
    assert migrate(url)
    assert migrate(url) == []
    with psycopg.connect(url) as connection:
        facts = (
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert connection.execute(facts).fetchone() == (False, False, False)
        show = "SELECT current_setting('synchronous_commit'), current_setting('timezone')"
        assert connection.execute(show).fetchone() == ("on", "UTC")


READING = """
    INSERT INTO water_reading (time, sensor, received_at, register_litres)
    SELECT '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 hour', n % 7, now(), n
    FROM generate_series(1, 1000) AS n
"""
DIGEST = "SELECT count(*), sum(register_litres), min(time), max(time) FROM water_reading"


def test_a_backup_comes_back_and_what_was_there_is_kept(
    tools: dict[str, str], secrets: dict[str, str], tmp_path: Path
) -> None:
    url = create(tools, secrets)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(READING)
        before = connection.execute(DIGEST).fetchone()
    dump = tmp_path / "citygauge.dump"
    run(tools, "sh", "-c", f"exec sh {POSTGRES / 'backup.sh'} > {dump}")
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM water_reading WHERE sensor = 3")

    run(tools, "sh", "-c", f"exec sh {POSTGRES / 'restore.sh'} < {dump}")

    assert migrate(url) == []
    with psycopg.connect(url) as connection:
        assert connection.execute(DIGEST).fetchone() == before
        connection.execute(READING.replace("2026-01-01", "2027-01-01"))
        chunks = "SELECT count(DISTINCT tableoid) > 1 FROM water_reading"
        assert connection.execute(chunks).fetchone() == (True,)
        names = "SELECT datname FROM pg_database WHERE datname LIKE 'citygauge_before_%'"
        kept = [name for (name,) in connection.execute(names)]
    assert len(kept) == 1
    with psycopg.connect(f"{url.rpartition('/')[0]}/{kept[0]}") as connection:
        remaining = connection.execute("SELECT count(*) FROM water_reading").fetchone()
        assert remaining is not None
        assert remaining[0] < 1000


def test_new_passwords_open_the_database_and_the_old_ones_do_not(
    tools: dict[str, str], secrets: dict[str, str]
) -> None:
    url = create(tools, secrets)
    fresh = {"POSTGRES_PASSWORD": "n3w-superuser", "APPLICATION_PASSWORD": "it's \\new"}
    run(tools, "sh", POSTGRES / "set-passwords.sh", **fresh)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)
    psycopg.connect(url, password=fresh["APPLICATION_PASSWORD"]).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host="127.0.0.1",
            port=int(tools["PGPORT"]),
            user="postgres",
            password=tools["PGPASSWORD"],
        )
    run({**tools, "PGPASSWORD": fresh["POSTGRES_PASSWORD"]}, "psql", "--command=SELECT 1")

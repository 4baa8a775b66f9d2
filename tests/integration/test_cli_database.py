"""Commands that look after the database: schema, sensors, keys, rejected messages."""

import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.domain.condition import Rule
from services.domain.rejection import Rejection, RejectReason
from services.domain.sensor_file import parse
from services.store import rejected
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.suppressions import SuppressionRepository
from services.store.connection import connect, transaction
from tests.api_server import say
from tests.waiting import PATIENCE_S

SENSORS = (
    "id,kind,name,lon,lat,zone,unit,cadence_s,time_zone\n"
    'M1,water_meter,"Calle ""Mayor"", 3",-0.48,38.34,DMA-1,m3,3600.0,Europe/Madrid\n'
    "S1,traffic_station,,,,,,,UTC\n"
)
PAYLOAD = b'{"time":"2026-03-01T00:00:00Z","values":{"register":7},"units":{"register":"m3"}}'


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> object:
    def run(*arguments: str, status: int = 0, url: str = database_url) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env={**os.environ, "DATABASE_URL": url, "COLUMNS": "200"},
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    return run


def test_migrate_brings_the_schema_and_is_safe_to_repeat(command, empty_database_url: str) -> None:
    assert "missing" in command("migrate", "--check", status=1, url=empty_database_url)
    assert "applied" in command("migrate", url=empty_database_url)
    assert "up to date" in command("migrate", url=empty_database_url)
    assert "up to date" in command("migrate", "--check", url=empty_database_url)


@pytest.mark.parametrize("ending", ["csv", "geojson"])
def test_sensors_are_imported_once_and_exported_exactly(
    command, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "in.csv").write_text(SENSORS)
    assert command("sensors", "import", "in.csv").startswith("2 created, 0 changed, 0 unchanged")
    assert command("sensors", "import", "in.csv").startswith("0 created, 0 changed, 2 unchanged")
    command("sensors", "export", f"out.{ending}")
    written = (tmp_path / f"out.{ending}").read_text()
    assert parse(f"out.{ending}", written).sensors == parse("in.csv", SENSORS).sensors
    again = command("sensors", "import", f"out.{ending}")
    assert again.startswith("0 created, 0 changed, 2 unchanged")
    (tmp_path / "in.csv").write_text(SENSORS.replace("DMA-1", "DMA-2"))
    assert command("sensors", "import", "in.csv").startswith("0 created, 1 changed, 1 unchanged")
    assert "DMA-2" in command("sensors", "list", "M1")
    assert command("sensors", "export").splitlines()[0].startswith("id,kind,")


def test_names_that_look_like_markup_are_shown_as_they_are(command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,kind,zone\nM1,water_meter,[/b] [red]Zone\n")
    command("sensors", "import", "in.csv")
    assert "[/b] [red]Zone" in command("sensors", "list")
    command("keys", "create", "[/anna]")
    assert "[/anna]" in command("keys", "list")


def test_one_bad_row_keeps_the_others_out_unless_skipped(command, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(SENSORS + "B AD,water_meter,,,,,,,UTC\n")
    command("sensors", "import", "in.csv", status=1)
    assert len(command("sensors", "export").splitlines()) == 1
    done = command("sensors", "import", "in.csv", "--skip-bad")
    assert done.endswith("1 bad rows skipped\n")
    assert len(command("sensors", "export").splitlines()) == 3


def test_keys_are_made_listed_and_revoked(command) -> None:
    secret = command("keys", "create", "anna", "--scope", "operate").strip()
    assert len(secret) > 30
    listed = command("keys", "list")
    assert "anna" in listed
    assert secret not in listed
    command("keys", "revoke", "anna")
    command("keys", "revoke", "anna", status=2)


def test_rejected_messages_are_listed_shown_and_read_again(
    command, database_url: str, tmp_path: Path
) -> None:
    topic = "citygauge/v1/water/M1/reading"
    with connect(database_url, "test") as conn, transaction(conn):
        reason = RejectReason.UNKNOWN_SENSOR
        rejection = Rejection(reason, "M1 is not registered", topic, PAYLOAD, "M1", 1)
        rejected.add(conn, [rejection], datetime(2026, 3, 1, 1, tzinfo=UTC))
    listed = command("rejected", "list")
    assert "unknown_sensor" in listed
    assert topic in listed
    assert command("rejected", "show", "1").encode() == PAYLOAD
    assert command("rejected", "replay").startswith("0 messages done")
    (tmp_path / "in.csv").write_text(SENSORS)
    command("sensors", "import", "in.csv")
    assert command("rejected", "replay").startswith("1 messages done (1 readings stored")
    assert topic not in command("rejected", "list")


def test_messages_that_nobody_wants_are_given_up(command, database_url: str) -> None:
    kinds = (RejectReason.NOT_JSON, RejectReason.NOT_JSON, RejectReason.UNKNOWN_SENSOR)
    with connect(database_url, "test") as conn, transaction(conn):
        for day, reason in enumerate(kinds, start=1):
            rejection = Rejection(reason, "no", "t/1", PAYLOAD, "M1", 1)
            rejected.add(conn, [rejection], datetime(2026, 3, day, tzinfo=UTC))
    command("rejected", "discard", status=2)
    assert command("rejected", "discard", "77") == "0 messages given up\n"
    early = ("--reason", "not_json", "--before", "2026-03-02T00:00:00Z")
    assert command("rejected", "discard", *early) == "1 messages given up\n"
    assert command("rejected", "discard", "2") == "1 messages given up\n"
    assert command("rejected", "discard", "--all") == "1 messages given up\n"
    assert command("rejected", "discard", "--all") == "0 messages given up\n"
    with connect(database_url, "test") as conn:
        found = rejected.page(conn, limit=9, state=rejected.MessageState.DISCARDED).items
    assert {each.changed_by for each in found} == {"citygauge rejected discard"}
    assert len(found) == 3


def test_what_is_to_be_expected_is_told_listed_and_ended(
    command, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(SENSORS)
    command("sensors", "import", "in.csv")
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    known = ("--until", until, "--reason", "[b]flushed[/b]", "--by", "ana")
    command("expect", "add", "exemption", *known, status=2)
    command("expect", "add", "exemption", "--subject", "M9", *known, status=2)
    command("expect", "add", "exemption", "--subject", "M1", "--hours", "9-11", *known, status=2)
    with connect(database_url, "test", autocommit=True) as conn:
        alert = say(database_url, subject="M1", rule=Rule.BURST)
        week = ("--hours", "mon,tue,wed,thu,fri,sat,sun 00:00-00:00", "--rule", "burst")
        made = command("expect", "add", "exemption", "--subject", "M1", *week, *known).strip()
        assert AlertRepository(conn).get(alert.id).suppressed_by == f"exemption/{made}"
        works = command("expect", "add", "maintenance", "--zone", "DMA-1", *known).strip()
        listed = command("expect", "list")
        [row] = [line for line in listed.splitlines() if made in line]
        assert "exemption" in row
        assert "M1, burst" in row
        assert "Europe/Madrid" in row
        assert "[b]flushed[/b]" in row
        assert works in listed
        assert "is ended" in command("expect", "end", made, "--comment", "done", "--by", "eva")
        command("expect", "end", made, status=2)
        command("expect", "end", "00000000-0000-0000-0000-000000000000", status=1)
        assert made not in command("expect", "list")
        assert made in command("expect", "list", "--all")
        assert AlertRepository(conn).get(alert.id).suppressed_by is None
        log = SuppressionRepository(conn).events(uuid.UUID(made))
    assert [(each.kind, each.actor) for each in log] == [("created", "ana"), ("ended", "eva")]

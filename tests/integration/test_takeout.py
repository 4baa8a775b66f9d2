"""Whoever leaves takes everything along: each table is in the folder or was left behind on purpose."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from services.domain.catalogue import Domain
from services.domain.sensor_file import parse
from services.store.connection import connect
from services.store.query.takeout import LEFT_BEHIND, READINGS, TABLES
from tests.api_server import METER, STATION, new_key, register, say, store
from tests.waiting import PATIENCE_S

TIMES = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(60)]


def takeout(database_url: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "takeout", str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, "DATABASE_URL": database_url},
    )


def test_everything_is_taken_along(database_url: str, tmp_path: Path) -> None:
    numbers = register(database_url, [METER, STATION])
    store(database_url, METER, numbers[METER.id], TIMES, flow_litres_per_h=[7.5] * len(TIMES))
    store(database_url, STATION, numbers[STATION.id], TIMES[:3], flow_veh_per_h=[600.0] * 3)
    sentence = 'A burst, "near" C:\\Mill\nfor sure'
    alert = say(database_url, subject=METER.id, sentence=sentence)
    secret = new_key(database_url, "admin", name="the only key")
    folder = tmp_path / "everything"
    done = takeout(database_url, folder)
    assert done.returncode == 0, done.stderr
    assert f"water.parquet: {len(TIMES)} readings" in done.stdout
    water = pq.read_table(folder / "water.parquet")
    assert water.column("flow_litres_per_h").to_pylist() == [7.5] * len(TIMES)
    assert set(water.column("sensor_id").to_pylist()) == {METER.id}
    assert pq.read_table(folder / "traffic.parquet").num_rows == 3
    sensors = parse("sensors.csv", (folder / "sensors.csv").read_text())
    assert not sensors.bad
    assert {sensor.id: sensor for sensor in sensors.sensors} == {
        sensor.id: sensor for sensor in (METER, STATION)
    }
    events = [json.loads(line) for line in (folder / "alert_event.ndjson").read_text().splitlines()]
    assert [event["alert_id"] for event in events] == [str(alert.id)]
    assert sentence in events[0]["data"].values()
    sums = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    files = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert files == {
        "sensors.csv",
        *(f"{table}.ndjson" for table in TABLES),
        *(f"{domain}.parquet" for domain in Domain),
    }
    for name in files:
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sums[name]
        assert secret.encode() not in data
    again = takeout(database_url, folder)
    assert (again.returncode, "an empty one" in again.stderr) == (2, True)
    assert "Traceback" not in takeout(database_url, tmp_path / "not/there").stderr


def test_a_new_table_must_be_taken_along_or_left_behind_on_purpose(database_url: str) -> None:
    with connect(database_url, "test") as connection:
        found = {
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        }
    made_from_readings = {name for name in found if name.startswith(("rollup_", *_OF_DOMAINS))}
    known = {*TABLES, *LEFT_BEHIND, *READINGS, "schema_migration"}
    assert found - (made_from_readings - READINGS) == known


_OF_DOMAINS = tuple(f"{domain}_" for domain in Domain)

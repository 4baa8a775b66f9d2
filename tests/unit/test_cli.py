"""The command: help for newcomers, one sentence for an error, documented exit statuses, a fast start."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from services.cli.commands import application
from services.cli.demo_books import Lag, Snapshot
from services.cli.settings import Sources
from tests.waiting import PATIENCE_S

COMMANDS = [
    "api",
    "backtest",
    "decode",
    "demo",
    "detect",
    "doctor",
    "ingest",
    "keys",
    "maintain",
    "migrate",
    "notify",
    "rejected",
    "replay",
    "score",
    "sensors",
    "settings",
    "simulate",
    "workers",
]
GOOD = '{"time":"2026-11-01T00:00:00Z","values":{"register":7},"units":{"register":"m3"}}'


def run(
    *arguments: str, stdin: str = "", cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CITYGAUGE_")}
    for name in ("DATABASE_URL", "MQTT_URL"):
        kept.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        cwd=cwd,
        env={**kept, "COLUMNS": "100", **environment},
    )


def shown(*arguments: str) -> str:
    """What a command prints, run in this process."""
    done = CliRunner().invoke(application(), arguments, env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    return done.output


def test_help_lists_every_command() -> None:
    said = shown("--help")
    for command in COMMANDS:
        assert f"│ {command} " in said
    assert "Exit status" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    said = shown(command, "--help")
    assert f"Usage: citygauge {command}" in said
    first = app_help(command)
    assert len(first) > 20
    assert first.endswith((".", "?"))


def app_help(command: str) -> str:
    """The first sentence of a command's help."""
    found = get_command(application()).commands[command]
    return (found.help or "").strip().splitlines()[0]


def test_no_word_of_a_help_is_taken_for_markup() -> None:
    """Help is Markdown: <case>.jsonl would be shown as .jsonl."""
    shown_in_tables = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    assert re.findall(r"<\w+>", shown_in_tables) == []


def test_version_is_shown() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", shown("--version"))


def loaded(commands: str) -> set[str]:
    """The modules that a process with these of the commands has loaded, before it runs one."""
    code = f"import sys; from services.cli.commands import *; application({commands}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_command_starts_without_loading_the_services() -> None:
    heavy = {"numpy", "fastapi", "paho", "psycopg", "uvicorn", "services.store"}
    assert not heavy & loaded("COMMANDS")


def test_a_command_starts_without_loading_the_others() -> None:
    commands = {name for name in loaded("['detect']") if name.startswith("services.cli.")}
    assert commands == {
        f"services.cli.{name}" for name in ("commands", "process", "serve", "settings")
    }


@pytest.mark.parametrize("arguments", [["--version", "detect"], ["nothing"], ["--help"]])
def test_every_command_is_known_where_none_is_asked_for(arguments: list[str]) -> None:
    said = run(*arguments)
    assert ("export" in said.stdout) == (arguments == ["--help"])
    assert ("No such command 'nothing'" in said.stderr) == (arguments == ["nothing"])


@pytest.mark.parametrize("command", ["migrate", "ingest", "detect", "notify", "api"])
def test_a_missing_database_address_is_named(command: str, tmp_path: Path) -> None:
    done = run(command, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("citygauge: setting DATABASE_URL: it is missing")
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    url = "postgresql://user:topsecret@127.0.0.1:1/none"
    done = run("migrate", cwd=tmp_path, DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("citygauge: ")
    assert "Traceback" not in done.stderr
    assert "topsecret" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "city", "--speed", "fast", "--mqtt-url", "mqtt://x"), "--speed"),
        (("simulate", "water", "--scenario", "traffic"), "[water] table"),
        (("simulate", "water", "--scenario", "nowhere"), "nowhere"),
        (("replay", "nowhere.csv"), "nowhere.csv"),
        (("sensors", "import", "nowhere.csv"), "nowhere.csv"),
        (("decode", "-", "--topic", "t", "--received", "noon"), "--received: 'noon'"),
        (("expect", "add", "exemption", "--until", "noon", "--reason", "r"), "--until: 'noon'"),
        (("simulate", "water", "--no-publish", "--start", "noon"), "--start: 'noon'"),
        (("rejected", "discard", "--before", "noon"), "--before: 'noon'"),
        (("backtest", ".", "--to", "noon"), "--to: 'noon'"),
        (("rejected", "list", "--reason", "bored"), "bored"),
        (("backtest", "/nowhere"), "/nowhere"),
    ],
)
def test_wrong_use_is_named(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path, DATABASE_URL="postgresql://u:p@127.0.0.1:1/none")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_decode_shows_what_would_be_stored_and_why_not(tmp_path: Path) -> None:
    topic = "citygauge/v1/water/M1/reading"
    done = run("decode", "-", "--topic", topic, stdin=GOOD, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["values"] == {"register_litres": 7000.0}
    done = run("decode", "-", "--topic", topic, stdin=GOOD[:40], cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "not_json"
    (tmp_path / "known.csv").write_text("id,kind\nM2,water_meter\n")
    done = run("decode", "-", "--topic", topic, "--sensors", "known.csv", stdin=GOOD, cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "unknown_sensor"


def test_bad_sensor_rows_are_named_and_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("id,kind\nM1,water_meter\nM 2,water_meter\nM3,clock\n")
    done = run("sensors", "import", "some.csv", "--check", cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("some.csv:3: ")
    assert lines[1].startswith("some.csv:4: ")
    assert "nothing imported" in lines[2]
    done = run("sensors", "import", "some.csv", "--check", "--skip-bad", cwd=tmp_path)
    assert done.returncode == 0


def test_bad_rows_of_a_recording_are_named_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(
        "time,sensor_id,kind,metric,value\n2026-01-01T00:00:00Z,M1,customer_meter,register_l,x\n"
    )
    done = run("replay", "r.csv", "--mqtt-url", "mqtt://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("r.csv:2: value: 'x'")
    assert "nothing sent" in done.stderr


def test_simulate_writes_sensors_and_truth_without_a_broker(tmp_path: Path) -> None:
    done = run(
        "simulate",
        "city",
        "--scenario=leak",
        "--no-publish",
        "--sensors=20",
        "--truth=truth.json",
        "--sensors-out=sensors.geojson",
        "--start=2026-03-02T00:00:00Z",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert {event["kind"] for event in truth["events"]} == {"continuous_flow", "burst", "dma_leak"}
    assert truth["eval_start"] == "2026-03-02T00:00:00Z"
    done = run("sensors", "import", "sensors.geojson", "--check", cwd=tmp_path)
    assert done.stdout == "22 sensors are readable\n"


def test_settings_shows_where_each_comes_from(tmp_path: Path) -> None:
    (tmp_path / "citygauge.toml").write_text("[ingest]\nqos = 0\n")
    done = run(
        "settings",
        "ingest",
        cwd=tmp_path,
        COLUMNS="300",
        CITYGAUGE_INGEST_WORKER="mine",
        DATABASE_URL="postgresql://me:topsecret@host/db",
    )
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert rows["ingest.qos"].split()[1] == "0"
    assert rows["ingest.qos"].rstrip().endswith("citygauge.toml")
    assert rows["ingest.worker"].rstrip().endswith("CITYGAUGE_INGEST_WORKER")
    whole = run("settings", cwd=tmp_path, DATABASE_URL="postgresql://me:topsecret@host/db")
    assert "topsecret" not in whole.stdout


def test_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    done = run(
        "doctor",
        "--json",
        cwd=tmp_path,
        DATABASE_URL="postgresql://me:topsecret@127.0.0.1:1/db",
        MQTT_URL="mqtt://me:topsecret@127.0.0.1:1",
    )
    assert done.returncode == 1
    findings = {each["what"]: each for each in json.loads(done.stdout)}
    assert findings["Python"]["health"] == "ok"
    for name in ("database", "MQTT broker"):
        assert findings[name]["health"] == "fail"
        assert findings[name]["remedy"]
    assert "topsecret" not in done.stdout + done.stderr
    healthy = run("doctor", cwd=tmp_path, CITYGAUGE_CACHE_DIR=str(tmp_path / "cache"))
    assert healthy.returncode == 0, healthy.stdout
    wrong = run("doctor", "--json", cwd=tmp_path, CITYGAUGE_NONSENSE="1")
    assert wrong.returncode == 1
    assert "CITYGAUGE_NONSENSE" in wrong.stdout


def test_sources_of_this_process_read_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYGAUGE_LOG_LEVEL", "debug")
    assert Sources.of_process().environment["CITYGAUGE_LOG_LEVEL"] == "debug"


@pytest.mark.parametrize(
    ("stored", "status", "said"),
    [
        (90, 0, ""),
        (87, 1, "3 published readings were neither stored nor rejected"),
        (91, 1, "1 readings came that this demo did not publish"),
    ],
)
def test_the_demo_ends_well_only_when_its_books_balance(
    monkeypatch: pytest.MonkeyPatch, stored: int, status: int, said: str
) -> None:
    snapshot = Snapshot(
        published=100,
        virtual_time=datetime(2026, 3, 1, tzinfo=UTC),
        received=stored + 10,
        stored=stored,
        duplicates=7,
        rejected=3,
        in_flight=0,
        rate=0.0,
        speaking=(16, 16),
        lag=Lag(),
        open=(),
        cleared=(),
    )
    counts = {
        name: getattr(snapshot, name)
        for name in ("published", "stored", "duplicates", "rejected", "balanced")
    }
    monkeypatch.setattr("services.cli.demo._run", lambda *given: counts)
    done = CliRunner().invoke(application(), ["demo", "--for", "1", "--json"])
    assert done.exit_code == status
    assert json.loads(done.stdout) == counts
    assert said in done.stderr
    assert bool(said) == ("do not balance" in done.stderr)

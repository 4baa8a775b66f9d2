"""`citygauge api` at its first start: a key for the first person, in a file of theirs, and in no log."""

import os
import re
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.embedded.processes import TetheredProcess
from tests.terminal import CTRL_C, Terminal
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def api(database_url: str, tmp_path: Path, **more: str) -> Iterator[tuple[str, TetheredProcess]]:
    """The address of a running API."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "CITYGAUGE_API_PORT": "0",
        **more,
    }
    command = [sys.executable, "-m", "services.cli", "api"]
    log = tmp_path / "api.log"
    process = TetheredProcess.start(
        "api", command, log=log, environment=environment, grace=PATIENCE_S
    )
    listening = re.compile(r"listening url=(http://127\.0\.0\.1:\d+)")
    try:
        said = wait_until(lambda: listening.search(process.said().decode()), what="the address")
        wait_until(lambda: status(f"{said[1]}/healthz") == 200, what="the API to answer")
        yield said[1], process
    finally:
        process.stop()


def status(url: str, key: str | None = None) -> int | None:
    """The HTTP status of a GET, None while nothing listens."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None


def test_the_first_start_leaves_a_key_that_works(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "state" / "citygauge" / "api-key"
    with api(database_url, tmp_path, XDG_STATE_HOME=str(tmp_path / "state")) as (url, process):
        key = file.read_text().strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert status(f"{url}/v1/sensors") == 401
        assert status(f"{url}/v1/sensors", key) == 200
        said = process.said().decode()
    assert str(file) in said
    assert key not in said
    file.unlink()
    with api(database_url, tmp_path, XDG_STATE_HOME=str(tmp_path / "state")) as (url, _):
        assert not file.exists()
        assert status(f"{url}/v1/sensors", key) == 200


def test_an_unwritable_place_and_a_missing_schema_are_said_and_stop_nothing(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    blocked = str(tmp_path / "file" / "key")
    with api(database_url, tmp_path, CITYGAUGE_API_FIRST_KEY_FILE=blocked) as (_, process):
        assert "No API key was made" in process.said().decode()
    with api(empty_database_url, tmp_path, CITYGAUGE_API_FIRST_KEY_FILE=blocked) as (url, process):
        assert "citygauge migrate" in process.said().decode()
        assert status(f"{url}/readyz") == 503


def test_a_person_at_a_terminal_is_shown_the_first_key_once(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "state" / "citygauge" / "api-key"
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "CITYGAUGE_API_PORT": "0",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    shown = []
    for _ in range(2):
        with Terminal([sys.executable, "-m", "services.cli", "api"], environment) as terminal:
            terminal.wait_for("listening url=")
            terminal.press(CTRL_C)
            assert terminal.wait_end() == 0
        shown.append(terminal.shown.replace("\n", ""))
    key = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"The first API key is in {file}: {key}" in shown[0]
    assert shown[0].count(key) == 1
    assert key not in shown[1]
    assert "first API key" not in shown[1]

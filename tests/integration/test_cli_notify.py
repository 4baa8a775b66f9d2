"""`citygauge notify`: a real message by a route, what the routes do, and the service itself, each as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.domain.condition import Change
from services.embedded.processes import TetheredProcess
from tests.endpoint import Endpoint, endpoint
from tests.notifying import keys, say
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["endpoint"]
SECRET = "a secret of some length"


def settings_file(folder: Path, endpoint: Endpoint, *more: str) -> dict[str, str]:
    """An environment whose settings file has the route hook, and what else is given."""
    path = folder / "citygauge.toml"
    hook = [
        "[[notify.routes]]",
        'name = "hook"',
        'channel = "webhook"',
        f'url = "{endpoint.url("/hook")}"',
    ]
    path.write_text("\n".join([*hook, f'secret = "{SECRET}"', *more]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CITYGAUGE_")}
    return {**kept, "CITYGAUGE_CONFIG": str(path), "COLUMNS": "120"}


def notify(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "notify", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env=environment,
    )


def test_a_route_is_tried_with_a_real_message(tmp_path: Path, endpoint: Endpoint) -> None:
    environment = settings_file(tmp_path, endpoint)
    done = notify(environment, "test", "hook")
    assert done.returncode == 0, done.stderr
    [told] = [json.loads(request.body) for request in endpoint.requests]
    assert told["test"] is True
    assert told["message_id"] in done.stdout
    endpoint.answers = [503]
    failed = notify(environment, "test", "hook")
    assert (failed.returncode, "it answered 503" in failed.stderr) == (1, True)
    assert "Traceback" not in failed.stderr
    unknown = notify(environment, "test", "hok")
    assert (unknown.returncode, "there are hook" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('escalate_to = "nobody"', "'nobody', which is not there"),
        ('title = "{sentense}"', "no field {sentense}"),
        ('ca_file = "/nowhere/ca.pem"', "the certificates in /nowhere/ca.pem cannot be used"),
    ],
)
def test_a_route_that_could_never_work_stops_the_start_with_a_sentence(
    tmp_path: Path, endpoint: Endpoint, more: str, words: str
) -> None:
    environment = settings_file(tmp_path, endpoint, more) | {"DATABASE_URL": "postgresql://nobody/"}
    done = notify(environment)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert SECRET not in done.stderr


def test_the_routes_are_shown_without_their_secrets(tmp_path: Path, endpoint: Endpoint) -> None:
    done = notify(settings_file(tmp_path, endpoint, 'zones = ["Zone [b]3[/b]"]'), "routes")
    assert done.returncode == 0, done.stderr
    assert "hook" in done.stdout
    assert "Zone [b]3[/b]" in done.stdout
    assert SECRET not in done.stdout


def test_the_service_runs_by_its_bare_name(
    database_url: str, tmp_path: Path, endpoint: Endpoint
) -> None:
    environment = settings_file(tmp_path, endpoint) | {"DATABASE_URL": database_url}
    [raised] = say(database_url, Change.RAISE)
    command = [sys.executable, "-m", "services.cli", "notify"]
    process = TetheredProcess.start(
        "notify", command, log=tmp_path / "log", environment=environment, grace=PATIENCE_S
    )
    try:
        wait_until(lambda: keys(endpoint) == [str(raised.id)], what="the message")
    finally:
        process.stop()

"""The commands in deploy/README.md name services, files and commands that exist."""

import re
import shlex
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

from services.notify.settings import NotifySettings
from tests.deployment import DEPLOY, ROOT, compose
from tests.waiting import PATIENCE_S

TEXT = (DEPLOY / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.splitlines() if line]
SERVICES = compose()["services"]
COMPOSE = "docker compose --file deploy/compose.yaml "
VERBS = {"up", "down", "exec", "restart", "stop", "cp"}
CITYGAUGE = Path(sysconfig.get_path("scripts")) / "citygauge"
MADE = ("deploy/secrets", "citygauge-secrets.tar", "citygauge.dump", "sensors.csv")
"""What the commands make, or what the reader brings."""


def test_there_are_commands_for_each_part_of_its_life() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert headings == [
        "What has been run, and what has not",
        "Install",
        "Let others in",
        "Whom alerts are told",
        "Upgrade",
        "Keep it small",
        "After an outage",
        "Back up",
        "Restore",
        "Leave with all your data",
        "Change the passwords",
        "Remove",
        "Without containers",
    ]
    assert len(BLOCKS) >= len(headings) - 2


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith(COMPOSE)])
def test_a_compose_command_names_services_that_exist(line: str) -> None:
    command, _, redirected = line.removeprefix(COMPOSE).partition(" > ")
    verb, *words = shlex.split(command.partition(" < ")[0])
    assert verb in VERBS
    assert not redirected or redirected in MADE
    named = [word for word in words if not word.startswith("-")]
    if verb == "cp":
        named = [word.partition(":")[0] for word in named if ":" in word]
    if verb != "exec":
        assert set(named) <= set(SERVICES)
        return
    service, program, *arguments = named
    assert service in SERVICES
    if program == "citygauge":
        group = arguments[:2]
        done = subprocess.run(
            [CITYGAUGE, *group, "--help"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        options = [word for word in words if word.startswith("--")]
        assert all(option in done.stdout for option in options)
    elif program == "sh" and arguments[0].startswith("/"):
        mounts = dict(mount.split(":")[1::-1] for mount in SERVICES[service]["volumes"])
        assert (DEPLOY / mounts[arguments[0]]).exists()


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith(COMPOSE)])
def test_a_command_names_files_that_exist(line: str) -> None:
    for word in shlex.split(line):
        if word.startswith("deploy/") and not word.startswith(MADE):
            found = list(ROOT.glob(word))
            assert found, f"{word} does not exist"
            if line == word:
                assert found[0].stat().st_mode & 0o100, f"{word} cannot be run"


def test_every_file_of_the_folder_is_in_its_table() -> None:
    table = TEXT[TEXT.index("| file |") : TEXT.index("## What")]
    named = re.findall(r"`([^`]+)`", table)
    files = {
        path.name + ("/" if path.is_dir() else "")
        for path in DEPLOY.iterdir()
        if not path.name.startswith(".") and path.name != "secrets"
    }
    beside = {"README.md", "Containerfile.dockerignore", "build.in", "setup-venv.sh"}
    assert files - beside == {name for name in named if "/" not in name.rstrip("/")} - {"docs"}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own
def test_the_routes_in_the_text_are_routes() -> None:
    [block] = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    settings = NotifySettings.model_validate(tomllib.loads(block)["notify"])
    assert [route.name for route in settings.routes] == ["crew", "duty", "office"]

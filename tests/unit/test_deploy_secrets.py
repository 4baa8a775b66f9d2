"""deploy/make-secrets.sh: random, closed to others, never made twice, and of the form that the programs read."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deployment import DEPLOY, compose
from tests.waiting import PATIENCE_S

FILES = {"database.env", "broker-passwords", "citygauge.env", "device-password", "grafana.env"}


SETTINGS = "citygauge.toml"
READ_INSIDE = {"broker-passwords": "mosquitto", SETTINGS: "ingest"}
"""File -> a service whose container opens it by itself, under its own uid."""


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEPLOY / "make-secrets.sh", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    done = make(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return folder


def passwords(folder: Path) -> list[str]:
    """Every random password, in whatever file and form."""
    texts = [
        path.read_text() for path in sorted(folder.iterdir()) if path.name != "broker-passwords"
    ]
    return re.findall(r"[A-Za-z0-9_-]{32}", "\n".join(texts))


def test_the_files_are_those_that_the_compose_file_mounts(secrets: Path) -> None:
    assert {path.name for path in secrets.iterdir()} == {*FILES, SETTINGS}
    text = (DEPLOY / "compose.yaml").read_text()
    assert set(re.findall(r"secrets/([a-z.-]+)", text)) == {*FILES, SETTINGS} - {"device-password"}


def test_only_their_owner_reads_them(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for path in secrets.iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.name in READ_INSIDE and os.geteuid() != 0:
            assert mode == 0o644
        else:
            assert mode == 0o600
    if os.geteuid() == 0:
        for name, service in READ_INSIDE.items():
            owner = secrets / name
            user, group = compose()["services"][service]["user"].split(":")
            assert (owner.stat().st_uid, owner.stat().st_gid) == (int(user), int(group))


def test_no_two_installations_share_a_password(secrets: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "other").returncode == 0
    mine, theirs = passwords(secrets), passwords(tmp_path / "other")
    assert (
        len(set(mine)) == 5
    )  # superuser, services' role, services' user of the broker, device, Grafana
    assert len(mine) == 6  # the services' role is in two files
    assert not set(mine) & set(theirs)


def test_secrets_that_are_there_are_kept_and_can_be_read_again(secrets: Path) -> None:
    settings = secrets / SETTINGS
    settings.chmod(0o600)
    settings.write_text("[ingest]\nworker = 'mine'\n")
    if os.geteuid() == 0:
        os.chown(settings, 0, 0)  # as an editor does that replaces the file
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    again = make(secrets)
    assert again.returncode == 0
    assert "there already" in again.stderr
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    test_only_their_owner_reads_them(secrets)


@pytest.mark.parametrize("lost", sorted(FILES))
def test_half_a_set_is_never_completed(secrets: Path, lost: str) -> None:
    (secrets / lost).unlink()
    done = make(secrets)
    assert done.returncode == 1
    assert "they belong together" in done.stderr
    assert not (secrets / lost).exists()


def test_the_addresses_are_those_of_the_compose_file(secrets: Path) -> None:
    text = (secrets / "citygauge.env").read_text()
    services = compose()["services"]
    for scheme, user, host, port in (
        ("postgresql", "citygauge", "timescaledb", 5432),
        ("mqtt", "citygauge-service", "mosquitto", 1883),
    ):
        assert re.search(
            rf"^[A-Z]+_URL={scheme}://{user}:[\w-]{{32}}@{host}:{port}\b", text, re.MULTILINE
        )
        assert host in services
    database = (secrets / "database.env").read_text()
    role = re.search(r"^APPLICATION_PASSWORD=(\S+)$", database, re.MULTILINE)
    assert role is not None
    assert f"citygauge:{role[1]}@timescaledb" in text

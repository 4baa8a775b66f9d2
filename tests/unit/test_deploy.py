"""The files of deploy/ are well formed, pass their linters, and keep the promises that deploy/README.md makes."""

import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deployment import DEPLOY, ROOT, compose, own_services, unit
from tests.waiting import PATIENCE_S

SCHEMA = Path(__file__).parents[1] / "data" / "compose-spec.json"
SERVICES = compose()["services"]
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SWITCHES = [
    "DynamicUser",
    "NoNewPrivileges",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateUsers",
    "LockPersonality",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "MemoryDenyWriteExecute",
    "RemoveIPC",
]
EVERY_SERVICE = pytest.mark.parametrize("name", SERVICES)


def lint(program: str, *arguments: str | Path) -> None:
    """Run a linter of this environment; whatever it says is the failure's text."""
    path = Path(sysconfig.get_path("scripts")) / program
    done = subprocess.run(
        [path, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""


def test_yaml_is_clean() -> None:
    lint("yamllint", "--strict", "--config-file", "deploy/.yamllint.yaml", "deploy")


def test_the_containerfile_is_clean() -> None:
    lint("hadolint", "deploy/Containerfile")


def test_shell_scripts_are_clean() -> None:
    scripts = sorted(path.relative_to(ROOT) for path in DEPLOY.rglob("*.sh"))
    assert len(scripts) >= 4
    lint("shellcheck", "--enable=quote-safe-variables,check-unassigned-uppercase", *scripts)


def test_json_is_json() -> None:
    dashboards = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
    assert dashboards
    for path in dashboards:
        json.loads(path.read_text())


def test_the_compose_file_is_one_by_its_specification() -> None:
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(compose())


@EVERY_SERVICE
def test_an_image_is_pinned(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.match(r"v?\d+\.\d+\.\d+", tag), f"{name}: {tag} can change under us"


@EVERY_SERVICE
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = re.fullmatch(r"(\d+):(\d+)", service["user"])
    assert user is not None
    assert int(user[1]) > 0
    assert "privileged" not in service
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] > 0


@EVERY_SERVICE
def test_a_container_comes_back_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["healthcheck"]["retries"] >= 3
    assert service["logging"]["options"]["max-size"]


@EVERY_SERVICE
def test_a_port_is_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
        assert "outside" in SERVICES[name]["networks"], "an internal network publishes nothing"


@EVERY_SERVICE
def test_what_a_service_waits_for_exists_and_can_be_waited_for(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        condition = how["condition"]
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert condition == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@EVERY_SERVICE
def test_what_a_service_mounts_is_there_and_cannot_be_written(name: str) -> None:
    for mount in SERVICES[name].get("volumes", ()):
        source, target, *mode = mount.split(":")
        assert target.startswith("/")
        if source.startswith("./"):
            assert mode == ["ro"]
            assert source.startswith("./secrets/") or (DEPLOY / source).exists(), source
        else:
            assert source in compose()["volumes"]


def test_every_volume_and_network_that_is_declared_is_used() -> None:
    mounts = {
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())
    }
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert set(compose()["volumes"]) == {mount for mount in mounts if not mount.startswith("./")}
    assert set(compose()["networks"]) == networks


def test_only_who_must_can_leave_the_machine() -> None:
    assert compose()["networks"]["inside"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"mosquitto", "notify", "api", "prometheus", "grafana"}


def test_no_secret_is_in_the_compose_file() -> None:
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not re.search("PASSWORD|SECRET|TOKEN|_URL$", variable), f"{name}: {variable}"
    ignored = (DEPLOY / ".gitignore").read_text().split()
    assert "/secrets/" in ignored


def test_every_service_runs_once_and_from_our_image() -> None:
    commands = {name: service["command"] for name, service in own_services().items()}
    expected = ("migrate", "ingest", "detect", "notify", "api")
    assert commands == {name: [name] for name in expected}
    assert {service["build"]["dockerfile"] for service in own_services().values()} == {
        "deploy/Containerfile"
    }


def test_the_image_is_small_and_nobody_in_it_is_root() -> None:
    final = CONTAINERFILE[CONTAINERFILE.rindex("\nFROM ") :]
    assert (
        re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE) == ["python:3.12-slim-bookworm"] * 2
    )
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["citygauge"\]$', final, re.MULTILINE)
    assert re.findall(r"apt-get|apk |gcc|build-essential|pip install", final) == []
    user = {service["user"] for service in own_services().values()}
    assert user == {"10001:10001"}


def test_every_package_of_the_image_is_checked_against_its_hash() -> None:
    script = CONTAINERFILE.replace("\\\n", " ")
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n]*)", script)
    assert len(installs) == 3
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-index" in arguments
    for lock in re.findall(r"--requirement (\S+)", script):
        packages = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
        assert packages
        assert all(re.match(r"\S+==.+\\\n +--hash=sha256:", package) for package in packages)


def test_the_builder_gets_what_the_image_copies_and_nothing_else() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    allowed = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in allowed if line.startswith("!")} == sources
    assert "*" in allowed
    assert all((ROOT / source).exists() for source in sources)


def test_the_locks_agree() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", path.read_text(), re.MULTILINE))
        for path in (
            ROOT / "requirements.lock",
            DEPLOY / "requirements.lock",
            DEPLOY / "build.lock",
        )
    ]
    for lock in pins[1:]:
        assert lock
        assert {name: pins[0].get(name) for name in lock} == lock


def test_image_and_project_have_one_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert {service["image"] for service in own_services().values()} == {f"citygauge:{version[1]}"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened(path: Path) -> None:
    service = unit(path)["Service"]
    for switch in SWITCHES:
        assert service[switch] == "yes", switch
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert "@system-service" in service["SystemCallFilter"]
    assert service["MemoryMax"]
    assert service["ExecStart"].startswith("/opt/citygauge/bin/citygauge ")


def test_the_target_starts_every_service_after_the_schema() -> None:
    target = unit(DEPLOY / "systemd" / "citygauge.target")
    wanted = {f"citygauge@{name}.service" for name in own_services() if name != "migrate"}
    assert set(target["Unit"]["Wants"].split()) == wanted
    template = unit(DEPLOY / "systemd" / "citygauge@.service")
    assert "citygauge-migrate.service" in template["Unit"]["After"].split()
    assert template["Unit"]["Requires"] == "citygauge-migrate.service"


def test_maintenance_runs_each_night_and_makes_up_for_a_missed_one() -> None:
    timer = unit(DEPLOY / "systemd" / "citygauge-maintain.timer")
    assert timer["Timer"]["Persistent"] == "yes"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:00", timer["Timer"]["OnCalendar"])
    service = unit(DEPLOY / "systemd" / "citygauge-maintain.service")["Service"]
    assert service["Type"] == "oneshot"
    assert service["ExecStart"].endswith("/citygauge maintain")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Our program is not installed where the units expect it: another one stands for it."""
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("/opt/citygauge/bin/citygauge", "/bin/true")
        (tmp_path / path.name).write_text(text)
    (tmp_path / "citygauge@.service").rename(tmp_path / "citygauge@ingest.service")
    units = sorted(tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    said = [line for line in done.stderr.splitlines() if "citygauge" in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    folder = DEPLOY / "grafana"
    source = yaml.safe_load((folder / "provisioning/datasources/prometheus.yaml").read_text())
    (prometheus,) = source["datasources"]
    host, port = re.fullmatch(r"http://(\w+):(\d+)", prometheus["url"]).groups()  # type: ignore[union-attr]
    assert host in SERVICES
    assert SERVICES[host]["ports"][0].endswith(f":{port}")
    provider = yaml.safe_load((folder / "provisioning/dashboards/citygauge.yaml").read_text())
    mounted = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["providers"][0]["options"]["path"]
    for path in (folder / "dashboards").glob("*.json"):
        for uid in _datasources(json.loads(path.read_text())):
            assert uid == prometheus["uid"]


def _datasources(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["datasource"]["uid"]] if isinstance(value.get("datasource"), dict) else []
        return own + [uid for each in value.values() for uid in _datasources(each)]
    if isinstance(value, list):
        return [uid for each in value for uid in _datasources(each)]
    return []

"""The settings of deploy/ are those of the embedded parts, and every variable and command in it is a known one."""

import re
import subprocess
import sysconfig
from pathlib import Path, PurePath

import pytest
import yaml

from services.cli.settings import Section, Sources, settings_class, variable
from services.embedded.broker_configuration import (
    BrokerConfiguration,
    default_grants,
    render_access,
    render_configuration,
)
from services.embedded.database import SETTINGS
from tests.deployment import (
    DEPLOY,
    commands_of_units,
    mosquitto_settings,
    own_services,
    postgres_settings,
    unit,
)
from tests.waiting import PATIENCE_S

CITYGAUGE = Path(sysconfig.get_path("scripts")) / "citygauge"


def test_the_broker_is_set_as_the_one_of_the_tests() -> None:
    embedded = mosquitto_settings(
        render_configuration(
            BrokerConfiguration(
                "1883",
                PurePath("/mosquitto/config/passwords"),
                PurePath("/mosquitto/config/access"),
                PurePath("/mosquitto/data"),
            )
        )
    )
    deployed = mosquitto_settings((DEPLOY / "mosquitto/mosquitto.conf").read_text())
    assert deployed == embedded


def test_the_brokers_users_may_do_what_those_of_the_tests_may() -> None:
    assert (DEPLOY / "mosquitto/access").read_text() == render_access(default_grants())


def test_the_database_is_set_as_the_one_of_the_tests() -> None:
    deployed = postgres_settings((DEPLOY / "timescaledb/postgresql.conf").read_text())
    places = {"listen_addresses", "unix_socket_directories"}
    assert {name: deployed.get(name) for name in SETTINGS if name not in places} == {
        name: value for name, value in SETTINGS.items() if name not in places
    }


def test_a_commit_is_on_disk_before_it_is_reported() -> None:
    deployed = postgres_settings((DEPLOY / "timescaledb/postgresql.conf").read_text())
    assert {deployed[name] for name in ("fsync", "full_page_writes", "synchronous_commit")} == {
        "on"
    }


@pytest.mark.parametrize("file", ["mosquitto/mosquitto.conf", "timescaledb/postgresql.conf"])
def test_every_group_of_settings_says_why(file: str) -> None:
    for group in (DEPLOY / file).read_text().split("\n\n"):
        assert group.startswith("# "), group


ADDRESSES = {
    "DATABASE_URL": "postgresql://citygauge:x@timescaledb:5432/citygauge",
    "MQTT_URL": "mqtt://citygauge-service:x@mosquitto:1883",
}


@pytest.mark.parametrize("name", own_services())
def test_a_service_starts_with_its_variables_and_none_is_unknown(name: str, tmp_path: Path) -> None:
    variables = {**own_services()[name]["environment"]}
    inside = variables["CITYGAUGE_CONFIG"]
    mounted = [mount.split(":") for mount in own_services()[name]["volumes"]]
    assert ["./secrets/citygauge.toml", inside, "ro"] in mounted
    variables["CITYGAUGE_CONFIG"] = str(DEPLOY / "citygauge.example.toml")
    sources = Sources({**ADDRESSES, **variables}, tmp_path)
    sources.check_names()
    given = set(variables) - {"CITYGAUGE_CONFIG"}
    if name == "migrate":
        assert given == set()
    else:
        section = Section(name)
        settings = sources.load(section, settings_class(section))
        assert {variable(section, field) for field in settings.model_fields_set} == given


@pytest.mark.parametrize("section", Section)
def test_the_example_of_settings_can_be_used_as_it_is_and_all_at_once(
    section: Section, tmp_path: Path
) -> None:
    text = (DEPLOY / "citygauge.example.toml").read_text()
    for file in (text, re.sub("^#(?=[a-z[])", "", text, flags=re.MULTILINE)):
        path = tmp_path / "citygauge.toml"
        path.write_text(file)
        sources = Sources({**ADDRESSES, "CITYGAUGE_CONFIG": str(path)}, tmp_path)
        settings = sources.load(section, settings_class(section))
    if section is Section.NOTIFY:
        assert [route.name for route in settings.routes] == ["shift", "dispatch"]  # type: ignore[attr-defined]


def test_a_service_listens_inside_its_container_where_others_look_for_it() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    scraped = dict(job["static_configs"][0]["targets"][0].split(":") for job in jobs)
    assert all(
        job["job_name"] == f"citygauge-{name}" for job, name in zip(jobs, scraped, strict=True)
    )
    services = own_services()
    assert set(scraped) == {name for name in services if name != "migrate"}
    for name, port in scraped.items():
        kind = "" if name == "api" else "METRICS_"
        variables = services[name]["environment"]
        assert variables[f"CITYGAUGE_{name.upper()}_{kind}PORT"] == port
        assert variables[f"CITYGAUGE_{name.upper()}_{kind}HOST"] == "0.0.0.0"
        assert f"127.0.0.1:{port}/" in services[name]["healthcheck"]["test"][-1]


COMMANDS = sorted(
    {tuple(service["command"]) for service in own_services().values()}
    | {tuple(command[1:]) for command in commands_of_units()}
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_command_of_a_container_or_unit_exists(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [CITYGAUGE, *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert f"citygauge {command[0]}" in done.stdout


def test_units_read_the_settings_that_the_readme_makes() -> None:
    for path in (DEPLOY / "systemd").glob("*.service"):
        service = unit(path)["Service"]
        assert service["EnvironmentFile"] == "/etc/citygauge/citygauge.env"
        assert service["LoadCredential"] == "citygauge.toml:/etc/citygauge/citygauge.toml"
        assert "CITYGAUGE_CONFIG=%d/citygauge.toml" in service["Environment"].split()

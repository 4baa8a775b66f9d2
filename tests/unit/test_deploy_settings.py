"""The settings of deploy/ are those of the embedded parts, and every variable and command in it is a known one."""

import subprocess
import sysconfig
from pathlib import Path, PurePath

import pytest
import yaml
from pydantic import BaseModel

from services.api.settings import ApiSettings
from services.detect.settings import DetectSettings
from services.embedded.broker_configuration import (
    BrokerConfiguration,
    default_grants,
    render_access,
    render_configuration,
)
from services.embedded.database import SETTINGS
from services.ingest.settings import IngestSettings
from services.notify.settings import NotifySettings
from tests.deployment import (
    DEPLOY,
    commands_of_units,
    mosquitto_settings,
    own_services,
    postgres_settings,
    unit,
)

SECTIONS: dict[str, type[BaseModel]] = {
    "INGEST": IngestSettings,
    "DETECT": DetectSettings,
    "NOTIFY": NotifySettings,
    "API": ApiSettings,
}
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


@pytest.mark.parametrize("name", own_services())
def test_a_variable_is_a_setting_of_its_service_and_its_value_is_allowed(name: str) -> None:
    variables = own_services()[name].get("environment", {})
    given: dict[str, str] = {}
    for variable, value in variables.items():
        prefix, section, field = variable.split("_", 2)
        assert (prefix, section.lower()) == ("CITYGAUGE", name)
        given[field.lower()] = value
    if name in {section.lower() for section in SECTIONS}:
        settings = SECTIONS[name.upper()].model_validate(given)
        assert set(given) <= settings.model_fields_set


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
        [CITYGAUGE, *command, "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert f"citygauge {command[0]}" in done.stdout


def test_units_read_the_settings_that_the_readme_makes() -> None:
    for path in (DEPLOY / "systemd").glob("*.service"):
        service = unit(path)["Service"]
        assert service["EnvironmentFile"] == "/etc/citygauge/citygauge.env"
        assert service["Environment"] == "CITYGAUGE_CONFIG=/etc/citygauge/citygauge.toml"

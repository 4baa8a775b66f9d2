"""Reads the files of deploy/ for the tests that hold them to the code; it judges nothing."""

import json
import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser, RawConfigParser
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
OWN_IMAGE = "citygauge"


def compose() -> dict[str, Any]:
    """The compose file, its anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def own_services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml that run our image."""
    services = compose()["services"]
    return {
        name: service
        for name, service in services.items()
        if service["image"].split(":")[0] == OWN_IMAGE
    }


def dashboard_expressions() -> Iterator[str]:
    """What the panels of the Grafana dashboards ask of Prometheus."""
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield target["expr"]


def mosquitto_settings(text: str) -> dict[str, str | list[str]]:
    """Name -> value of a mosquitto.conf; `log_type` may be repeated and is a sorted list."""
    settings: dict[str, str | list[str]] = {}
    kinds = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, value = line.partition(" ")
        if name == "log_type":
            kinds.append(value)
        else:
            assert name not in settings, f"{name} is set twice"
            settings[name] = value
    settings["log_type"] = sorted(kinds)
    return settings


def postgres_settings(text: str) -> dict[str, str]:
    """Name -> value of a postgresql.conf, without quotes."""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([a-z_.]+) = (?:'([^']*)'|(\S+))", line)
        assert match, f"not a setting: {line}"
        assert match[1] not in settings, f"{match[1]} is set twice"
        settings[match[1]] = match[2] if match[2] is not None else match[3]
    return settings


def unit(path: Path) -> RawConfigParser:
    """A systemd unit. Of a setting that is repeated the values are joined by spaces."""

    class Repeated(dict):  # type: ignore[type-arg]
        def __setitem__(self, key: str, value: object) -> None:
            if isinstance(value, list) and key in self:
                value = [" ".join([*self[key], *value])]
            super().__setitem__(key, value)

    parser = ConfigParser(
        interpolation=None, strict=False, dict_type=Repeated, delimiters="=", comment_prefixes="#"
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    return parser


def commands_of_units() -> Iterator[list[str]]:
    """The command lines of the systemd units, `%i` replaced by each instance that the target wants."""
    target = unit(DEPLOY / "systemd" / "citygauge.target")
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        line = unit(path)["Service"]["ExecStart"]
        if path.name.endswith("@.service"):
            for wanted in target["Unit"]["Wants"].split():
                instance = wanted.partition("@")[2].removesuffix(".service")
                yield shlex.split(line.replace("%i", instance))
        else:
            yield shlex.split(line)

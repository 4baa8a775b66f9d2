"""The command that looks over this machine and says what is missing and what to do about it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from services.cli.finding import Finding, Health
from services.cli.settings import BrokerLocation, DatabaseAddress, Section, Sources
from services.domain.errors import CitygaugeError, InvalidInput, SettingError

if TYPE_CHECKING:
    from services.cli.broker_makes import Broker

_COLOURS: Final = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "red"}
_NEEDED_BYTES: Final = 1_000_000_000
_MINIMUM: Final = (3, 11)
_PROBE: Final = 3_000


def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
    probe: int = typer.Option(
        _PROBE,
        min=0,
        max=1_000_000,
        help="Publish so many small messages to a topic of its own, to see whether the broker of MQTT_URL "
        "queues them for a session that is away; 0: none.",
    ),
    broker: str = typer.Option(
        "",
        help="Its make, where it does not tell that itself: mosquitto, EMQX, HiveMQ or VerneMQ.",
    ),
) -> None:
    """Say what is missing on this machine, and what to do about it.

    It changes nothing. With DATABASE_URL and MQTT_URL it looks at those too: whether they are set so that nothing is
    lost. Exit status 1 if anything fails.
    """
    findings = list(examine(Sources.of_process(), probe, _make(broker)))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        for finding in findings:
            mark = Text(f"{finding.health:4}", style=_COLOURS[finding.health])
            sick = finding.health is not Health.OK
            more = [finding.why] if finding.why and sick else []
            more += [finding.remedy] if finding.remedy else []
            text = Text(finding.said)
            for line in more:
                text.append(f"\n{line}", style="dim")
            table.add_row(mark, finding.what, text)
        Console(highlight=False, markup=False).print(table)
    raise typer.Exit(1 if any(each.health is Health.FAIL for each in findings) else 0)


def _make(name: str) -> Broker | None:
    from services.cli.broker_makes import Broker, kind_of

    found = kind_of(name)
    if name and found is None:
        raise InvalidInput("--broker", name, f"one of {', '.join(each.value for each in Broker)}")
    return found


def examine(sources: Sources, probe: int = _PROBE, make: Broker | None = None) -> Iterator[Finding]:
    """Every finding, in the order in which a person would want to mend them."""
    for look in (_python, _packages, _settings, _tools, _cache, _prefix, _zones, _port):
        yield from look(sources)
    yield from _database(sources)
    yield from _broker(sources, probe, make)
    yield from _browser(sources)


def _python(sources: Sources) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] >= _MINIMUM
    yield Finding(
        "Python",
        Health.OK if good else Health.FAIL,
        found,
        "" if good else "Install Python 3.11 or newer, then run make again.",
    )


def _packages(sources: Sources) -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, requires, version

    missing = []
    for line in requires("citygauge") or []:
        if "extra ==" in line:
            continue
        name = re.split(r"[\[<>=!; ]", line, maxsplit=1)[0]
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = "Run make, which installs the locked packages into .venv."
        yield Finding("packages", Health.FAIL, f"missing: {', '.join(missing)}", remedy)
    else:
        yield Finding("packages", Health.OK, "all of the locked packages are there")


def _settings(sources: Sources) -> Iterator[Finding]:
    try:
        sources.check_names()
    except SettingError as error:
        yield Finding("settings", Health.FAIL, str(error), "docs/settings.md lists them all.")
    else:
        where = f"from {sources.path}" if sources.path else "no citygauge.toml; defaults"
        yield Finding("settings", Health.OK, f"every name is known, {where}")


def _tools(sources: Sources) -> Iterator[Finding]:
    missing = [tool for tool in ("apt-get", "dpkg-deb", "tar") if shutil.which(tool) is None]
    keyring = any(
        Path(f"/usr/share/keyrings/debian-archive-keyring.{end}").is_file()
        for end in ("gpg", "pgp")
    )
    own = "Or give a database and a broker of your own in DATABASE_URL and MQTT_URL."
    if missing:
        said = f"{', '.join(missing)} missing, so the demo cannot prepare its database"
        yield Finding("apt", Health.WARN, said, f"Use Debian 12 or newer. {own}")
    elif not keyring:
        remedy = f"Install the package debian-archive-keyring. {own}"
        yield Finding("apt", Health.WARN, "Debian's archive keyring is missing", remedy)
    else:
        yield Finding("apt", Health.OK, "apt-get, dpkg-deb, tar and Debian's keyring are there")


def _cache(sources: Sources) -> Iterator[Finding]:
    from services.embedded.cache import cache_folder

    folder = cache_folder()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    other = "Name another folder in CITYGAUGE_CACHE_DIR."
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        said = f"{folder} cannot be written ({error.strerror})"
        yield Finding("cache folder", Health.WARN, said, other)
        return
    free = shutil.disk_usage(there).free
    if free < _NEEDED_BYTES:
        said = f"{folder}: {free // 10**6} MB are free, {_NEEDED_BYTES // 10**6} MB are needed"
        yield Finding("cache folder", Health.WARN, said, f"Make room. {other}")
    else:
        yield Finding("cache folder", Health.OK, f"{folder}, {free // 10**9} GB free")


def _prefix(sources: Sources) -> Iterator[Finding]:
    from services.embedded.prefix import prefix_folder

    folder = prefix_folder()
    if (folder / "PACKAGES").is_file():
        yield Finding("embedded servers", Health.OK, f"TimescaleDB and mosquitto are in {folder}")
    else:
        said = "not prepared yet; the first demo or test does it, about a minute"
        yield Finding("embedded servers", Health.OK, said)


def _zones(sources: Sources) -> Iterator[Finding]:
    if Path("/usr/share/zoneinfo/UTC").exists():
        yield Finding("time zones", Health.OK, "/usr/share/zoneinfo is there")
    else:
        said = "/usr/share/zoneinfo is missing, which the embedded database reads"
        yield Finding("time zones", Health.WARN, said, "Install the package tzdata.")


def _port(sources: Sources) -> Iterator[Finding]:
    from services.api.settings import ApiSettings

    try:
        settings = sources.load(Section.API, ApiSettings)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except SettingError:
        return
    except OSError as error:
        said = f"{settings.host}:{settings.port} cannot be used ({error.strerror})"
        remedy = "Is the API running already? Else choose another in CITYGAUGE_API_PORT."
        yield Finding("API address", Health.WARN, said, remedy)
    else:
        yield Finding("API address", Health.OK, f"{settings.host}:{settings.port} is free")


def _database(sources: Sources) -> Iterator[Finding]:
    from services.cli.doctor_database import judge
    from services.store.connection import connect
    from services.store.edition import Edition, edition, installed_version
    from services.store.inspection import inspect
    from services.store.migrations import pending

    if not _given(sources, Section.DATABASE, "url"):
        yield Finding("database", Health.OK, "DATABASE_URL is not set; the demo brings its own")
        return
    try:
        url = sources.load(Section.DATABASE, DatabaseAddress).url.get_secret_value()
        with connect(url, "citygauge-doctor") as conn:
            kind, version, found = edition(conn), installed_version(conn), inspect(conn)
        if kind is Edition.ABSENT:
            remedy = "Add timescaledb to shared_preload_libraries and restart PostgreSQL."
            yield Finding("database", Health.FAIL, "TimescaleDB is not loaded", remedy)
            return
        yield from judge(found, kind, version)
        missing = pending(url)
    except CitygaugeError as error:
        remedy = "Check DATABASE_URL and that the server runs."
        yield Finding("database", Health.FAIL, str(error), remedy)
        return
    if missing:
        said = f"{len(missing)} migrations are missing: {', '.join(missing)}"
        yield Finding("schema", Health.FAIL, said, "Run citygauge migrate.")
    else:
        yield Finding("schema", Health.OK, "up to date")


def _broker(sources: Sources, messages: int, make: Broker | None) -> Iterator[Finding]:
    from services.cli.broker_probe import probe
    from services.cli.doctor_broker import judge
    from services.ingest.settings import IngestSettings

    if not _given(sources, Section.MQTT, "url"):
        yield Finding("MQTT broker", Health.OK, "MQTT_URL is not set; the demo brings its own")
        return
    try:
        url = sources.load(Section.MQTT, BrokerLocation).url.get_secret_value()
        wanted = sources.load(Section.INGEST, IngestSettings)
        found = probe(url, messages, wanted.session_expiry_s)
    except CitygaugeError as error:
        remedy = "Check MQTT_URL, that the broker runs, and that it speaks MQTT 5."
        yield Finding("MQTT broker", Health.FAIL, str(error), remedy)
        return
    yield from judge(
        found,
        share_group=wanted.share_group,
        session_expiry_s=wanted.session_expiry_s,
        largest_bytes=wanted.max_payload_bytes,
        make=make,
    )


def _browser(sources: Sources) -> Iterator[Finding]:
    from services.embedded.browser import find_chromium

    found = find_chromium()
    if found:
        yield Finding("Chromium", Health.OK, f"{found} (for the tests of the console)")
    else:
        said = "not found; the tests of the console are skipped"
        yield Finding("Chromium", Health.WARN, said, "Run make browser.")


def _given(sources: Sources, section: Section, field: str) -> bool:
    try:
        return sources.origin(section, field) != "default"
    except SettingError:
        return True

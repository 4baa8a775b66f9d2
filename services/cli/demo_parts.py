"""The demo's parts: servers that it starts or is given, and its services as processes of the same command.

Every part ends with this process, whatever ends it. It refuses to touch servers that it was given.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.cli.settings import Section, Sources
from services.domain.errors import CitygaugeError
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.cache import Progress, cache_folder, make_cache_folder
from services.embedded.contents import Contents
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import ensure_prefix
from services.embedded.processes import TetheredProcess, free_port
from services.store.migrations import fingerprint, migrate

_READY_S: Final = 90.0
_GRACE_S: Final = 15.0
_MARK: Final = "citygauge-demo."
DATABASE: Final = "citygauge"
SIMULATORS: Final = "simulate"


class DemoFailed(CitygaugeError):
    """A part of the demo did not start, or ended by itself."""


@dataclass
class Servers:
    """The database and the broker, started here unless they are given. Use it in a `with` block.

    Without a folder their data are temporary, and the database begins with `contents`, its schema when not given.
    The broker answers from the beginning of the block; the database
    prepares itself beside it, until `database` returns.
    """

    sources: Sources
    folder: Path | None
    report: Progress
    contents: Contents | None = None
    mqtt_url: str = ""
    device_mqtt_url: str = ""
    _stack: ExitStack = field(default_factory=ExitStack)
    _starting: Future[str] = field(default_factory=Future)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            url = self._given(Section.DATABASE)
            self.mqtt_url = self.device_mqtt_url = self._given(Section.MQTT)
            if not (url and self.mqtt_url):
                ensure_prefix(self.report)
            server = stack.enter_context(
                ExitStack()
            )  # it is closed after the pool: nothing starts then
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
            self._starting = pool.submit(self._database, url, server)
            if not self.mqtt_url:
                self._broker(stack)
            self._stack = stack.pop_all()
        return self

    def database(self) -> str:
        """The address of the database, its schema up to date."""
        return self._starting.result()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _given(self, section: Section) -> str:
        from services.cli.settings import BrokerLocation, DatabaseAddress

        if self.sources.origin(section, "url") == "default":
            return ""
        if section is Section.DATABASE:
            return self.sources.load(section, DatabaseAddress).url.get_secret_value()
        return self.sources.load(section, BrokerLocation).url.get_secret_value()

    def _database(self, url: str, stack: ExitStack) -> str:
        if not url:
            self.report("Starting TimescaleDB")
            contents = self.contents or Contents(DATABASE, fingerprint(), _with_schema)
            folder = self.folder and self.folder / "database"
            server = EmbeddedDatabase(folder, progress=self.report, contents=contents)
            url = stack.enter_context(server).create(DATABASE)
        migrate(url)
        return url

    def _broker(self, stack: ExitStack) -> None:
        self.report("Starting the MQTT broker")
        folder = self.folder and self.folder / "broker"
        broker = stack.enter_context(EmbeddedBroker(folder, progress=self.report))
        self.mqtt_url, self.device_mqtt_url = broker.url(), broker.url(DEVICE_USER)


def _with_schema(url: str) -> None:
    migrate(url)


class Services:
    """The services as processes. `environment` is what all of them are given."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._folder = folder
        self._running: dict[str, TetheredProcess] = {}
        self._finite = frozenset({SIMULATORS})

    def start(self, name: str, *arguments: str, **more: str) -> TetheredProcess:
        """Start `citygauge NAME ARGUMENTS...` with further variables in its environment."""
        process = TetheredProcess.start(
            name,
            [sys.executable, "-m", "services.cli", name, *arguments],
            log=self.log(name),
            environment={**self._environment, **more},
            grace=_GRACE_S,
        )
        self._running[name] = process
        return process

    def log(self, name: str) -> Path:
        """What a service has said."""
        return self._folder / f"{name}.log"

    def running(self, name: str) -> bool:
        """Whether a service is there."""
        return name in self._running and self._running[name].running

    def check(self) -> None:
        """Raise DemoFailed for a service that has ended by itself; the simulators are free to."""
        for name in self._running:
            if name not in self._finite and not self.running(name):
                raise self.failure(name)

    def failure(self, name: str) -> DemoFailed:
        """The error of a part that ended by itself."""
        return DemoFailed(f"{name} ended by itself; its last words:\n{self._last_words(name, 8)}")

    def _last_words(self, name: str, lines: int) -> str:
        said = self.log(name).read_text(errors="replace").strip().splitlines()
        return "\n".join(said[-lines:])

    def wait(self, what: str, ready: Callable[[], bool], stop: threading.Event) -> None:
        """Wait until `ready`, at most a minute and a half.

        Raises:
            DemoFailed: a service ended, or the time is up.
            KeyboardInterrupt: `stop` is set.
        """
        deadline = time.monotonic() + _READY_S
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                words = "\n".join(f"{name}: {self._last_words(name, 1)}" for name in self._running)
                raise DemoFailed(f"waited {_READY_S:g} s in vain for {what}\n{words}")
            if stop.wait(0.05):
                raise KeyboardInterrupt

    def forget(self, name: str) -> None:
        """Stop one service, or note that it has done its work."""
        if name in self._running:
            self._running.pop(name).stop()

    def stop(self) -> None:
        """Stop all of them at once, and return when they are gone."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(TetheredProcess.stop, self._running.values()))
        self._running.clear()


def environment_of(mqtt_url: str, sources: Sources, folder: Path) -> dict[str, str]:
    """What every service of the demo is given: the broker's address, and settings for simulated time."""
    given = {
        "MQTT_URL": mqtt_url,
        "CITYGAUGE_INGEST_LATE_AFTER_S": "0",
        "CITYGAUGE_INGEST_HEARTBEAT_S": "0.5",
        "CITYGAUGE_INGEST_SESSION_EXPIRY_S": "0",
        "CITYGAUGE_DETECT_CLOCK": "stream",
        "CITYGAUGE_API_HOST": "127.0.0.1",
        "CITYGAUGE_API_FIRST_KEY_FILE": str(folder / "api-key"),
        "CITYGAUGE_API_LOGIN_TOKEN": secrets.token_urlsafe(32),
        "CITYGAUGE_API_SESSION_SECRET": secrets.token_urlsafe(32),
    }
    if sources.path is not None:
        given["CITYGAUGE_CONFIG"] = str(sources.path.resolve())
    for name in ("INGEST_METRICS_PORT", "DETECT_METRICS_PORT", "NOTIFY_METRICS_PORT", "API_PORT"):
        given[f"CITYGAUGE_{name}"] = str(free_port())
    return given


def given(sources: Sources) -> bool:
    """Whether a database or a broker is given."""
    return any(
        sources.origin(section, "url") != "default" for section in (Section.DATABASE, Section.MQTT)
    )


def metrics_of(environment: Mapping[str, str], name: str) -> str:
    """Where a service of the demo tells its metrics."""
    return f"http://127.0.0.1:{environment[f'CITYGAUGE_{name}_METRICS_PORT']}/metrics"


def addresses(environment: Mapping[str, str]) -> list[str]:
    """What a person can open in the demo, in lines."""
    api = f"http://127.0.0.1:{environment['CITYGAUGE_API_PORT']}"
    token = environment["CITYGAUGE_API_LOGIN_TOKEN"]
    key = environment["CITYGAUGE_API_FIRST_KEY_FILE"]
    metrics = [metrics_of(environment, name) for name in ("INGEST", "DETECT", "NOTIFY")]
    return [
        f"Console        {api}/login?token={token}  (signs in once)",
        f"API documents  {api}/docs",
        *([f"API key        in {key}"] if Path(key).exists() else []),
        f"Metrics        {api}/metrics  {'  '.join(metrics)}",
    ]


def answers(url: str, pattern: str = "") -> bool:
    """Whether an address answers with success, and with a text that has a line of the pattern."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 (always loopback http)
            text = response.read().decode()
            return response.status == 200 and re.search(pattern, text, re.MULTILINE) is not None
    except (urllib.error.URLError, OSError):
        return False


class WorkFolder:
    """A folder for the demo's logs and, where it is kept, its servers. Use it in a `with` block.

    Cities of different sizes are kept apart.
    """

    def __init__(self, kept: bool, sensors: int) -> None:
        self.kept, self._sensors = kept, sensors
        self.path = Path()

    def __enter__(self) -> Self:
        _sweep()
        if self.kept:
            make_cache_folder()
            self.path = cache_folder() / f"demo-{self._sensors}"
            self.path.mkdir(exist_ok=True)
        else:
            self.path = Path(tempfile.mkdtemp(prefix=f"{_MARK}{os.getpid()}-"))
        self.path.chmod(0o755)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.kept:
            shutil.rmtree(self.path, ignore_errors=True)


def _sweep() -> None:
    """Remove the folders of demos that were killed: their names carry the process that made them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_MARK}*-*"):
        pid = folder.name.removeprefix(_MARK).partition("-")[0]
        if (
            pid.isdigit()
            and not Path(f"/proc/{pid}").exists()
            and folder.stat().st_uid == os.geteuid()
        ):
            shutil.rmtree(folder, ignore_errors=True)

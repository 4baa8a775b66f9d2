"""Debian's Prometheus and promtool, for the tests of deploy/prometheus: from the PATH, or a private copy."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

import pytest

from services.embedded.apt import Package, PrivateApt
from services.embedded.cache import cache_folder, locked, made_whole, make_cache_folder
from services.embedded.errors import EmbeddedError
from services.embedded.processes import free_port
from tests.deployment import DEPLOY
from tests.tether import tethered
from tests.waiting import PATIENCE_S

_EXCLUDED = ("./usr/share/*", "./etc/*", "./lib/*")


def program(name: str) -> Path:
    """`prometheus` or `promtool`; a test that cannot have it is skipped and says why."""
    on_path = which(name)
    if on_path is not None:
        return Path(on_path)
    private = cache_folder() / "prometheus"
    try:
        _unpack(private)
    except EmbeddedError as error:
        pytest.skip(f"no {name} on the PATH, and none can be had: {error}")
    return private / "usr/bin" / name


def _unpack(final: Path) -> None:
    """The package alone: both programs need nothing but the C library."""
    make_cache_folder()
    with locked(final.parent / "prometheus.lock", lambda: None):
        if final.exists():
            return
        with made_whole(final) as root:
            apt = PrivateApt(root.parent / "apt")
            apt.update()
            apt.fetch_and_unpack([Package("prometheus", 0)], root, _EXCLUDED)


class Prometheus:
    """A running Prometheus, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"

    def ready(self) -> bool:
        """Whether it answers yet."""
        try:
            self.ask("status/runtimeinfo")
        except OSError:
            return False
        return True

    def ask(self, path: str) -> Any:
        """The data of an answer of its API."""
        url = f"http://{self._address}/api/v1/{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return json.load(answer)["data"]

    def evaluate(self, expression: str) -> list[Any]:
        """The series that an expression of a dashboard or a rule has now."""
        asked = expression.replace("$__rate_interval", "5m").replace("$__range", "1h")
        series: list[Any] = self.ask(f"query?query={quote(asked)}")["result"]
        return series


@contextmanager
def scraping(targets: Mapping[str, str], folder: Path) -> Iterator[Prometheus]:
    """Run the Prometheus of deploy/prometheus, its targets (host:port) where they are here, a scrape a second."""
    text = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("15s", "1s")
    for named, here in targets.items():
        assert f'"{named}"' in text, named
        text = text.replace(f'"{named}"', f'"{here}"')
    configuration = folder / "prometheus.yml"
    configuration.write_text(text.replace("rules.yml", str(DEPLOY / "prometheus/rules.yml")))
    port = free_port()
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'metrics'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(tethered(command), stdout=log, stderr=log, cwd=folder)
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait()

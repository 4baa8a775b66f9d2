"""The demo: a whole city on this machine, from one command, and nothing of it left when it ends."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from services.cli.demo_books import Books, Snapshot
    from services.cli.demo_city import City
    from services.cli.demo_parts import Servers, Services
    from services.cli.demo_view import View
    from services.cli.settings import Sources

SIMULATORS: Final = "simulate"
_LOOK_S: Final = 0.4
_SETTLE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for."""

    seconds: float | None
    as_json: bool
    keep: bool
    sensors: int
    speed: float


def demo(
    for_: float | None = typer.Option(
        None, "--for", min=1, help="End after so many seconds of live city.", metavar="SECONDS"
    ),
    as_json: bool = typer.Option(
        False, "--json", help="End with one JSON object on standard output."
    ),
    keep: bool = typer.Option(
        False, "--keep", help="Keep the database's data for the next demo, in the cache folder."
    ),
    sensors: int = typer.Option(80, min=16, max=20_000, help="Meters and stations in all."),
    speed: float = typer.Option(3600.0, min=1, max=1e6, help="Simulated seconds in a real second."),
) -> None:
    """Show a whole city on this machine: servers, services, simulators, alerts.

    The first start prepares TimescaleDB and an MQTT broker in your cache folder; later ones take seconds.
    With DATABASE_URL and MQTT_URL set, those are used and nothing is prepared. Ctrl-C stops everything.
    With --for, exit status 0 means that published = stored + duplicates + rejected.
    """
    from rich.console import Console

    from services.cli.demo_view import LiveView, PlainView
    from services.cli.process import stop_on_signals
    from services.cli.settings import Sources
    from services.domain.errors import CitygaugeError
    from services.embedded.errors import EmbeddedError

    wish = Wish(for_, as_json, keep, sensors, speed)
    sources = Sources.of_process()
    sources.check_names()
    stop = stop_on_signals()
    view: View = PlainView(sys.stderr if as_json else sys.stdout)
    if not as_json and sys.stdout.isatty():
        view = LiveView(Console())
    try:
        with view:
            result = _run(wish, sources, view, stop)
    except EmbeddedError as error:
        raise CitygaugeError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(result, default=_plain))
    if not result["balanced"]:
        typer.echo(f"citygauge: the books do not balance: {_difference(result)}", err=True)
        raise typer.Exit(1)


def _difference(result: Mapping[str, object]) -> str:
    """How far the books are from a balance, in words."""
    accounted = sum(int(str(result[part])) for part in ("stored", "duplicates", "rejected"))
    missing = int(str(result["published"])) - accounted
    if missing > 0:
        return f"{missing:,} published readings were neither stored nor rejected"
    return f"{-missing:,} readings came that this demo did not publish"


def _plain(value: object) -> str:
    """Times as the API writes them, anything else as text."""
    from services.domain.instant import isoformat, to_us

    return isoformat(to_us(value)) if isinstance(value, datetime) else str(value)


def _run(wish: Wish, sources: Sources, view: View, stop: threading.Event) -> dict[str, object]:
    from services.cli.demo_city import City, begin_of
    from services.cli.demo_parts import Servers, Services, WorkFolder, environment_of
    from services.store.migrations import migrate

    begun = time.monotonic()
    with (
        ThreadPoolExecutor(max_workers=1) as pool,
        WorkFolder(wish.keep, wish.sensors) as folder,
    ):
        # The city is computed while the database is prepared by another process.
        city = pool.submit(City.of, wish.sensors, begin_of(folder.path / "begin"))
        with Servers(sources, folder.path if wish.keep else None, view.say) as servers:
            view.say("Preparing the schema")
            migrate(servers.database_url)
            environment = environment_of(servers, sources, folder.path)
            services = Services(environment, folder.path)
            try:
                made = city.result()
                return _Demo(wish, view, stop, servers, services, made, environment, begun).run()
            finally:
                view.say("Stopping")
                services.stop()


class _Demo:
    """One demo, its servers running."""

    def __init__(
        self,
        wish: Wish,
        view: View,
        stop: threading.Event,
        servers: Servers,
        services: Services,
        city: City,
        environment: dict[str, str],
        begun: float,
    ) -> None:
        self._wish, self._view, self._stop = wish, view, stop
        self._servers, self._services, self._city = servers, services, city
        self._environment, self._begun = environment, begun
        self._resume: list[str] = []
        self._ready_s = 0.0
        self._progress, self._go = services.log("progress"), services.log("go")
        self._learn = services.log("learn")

    def run(self) -> dict[str, object]:
        from services.cli.demo_books import Books
        from services.store.connection import connect
        from services.store.past import newest_time

        for file in (self._progress, self._go, self._learn):
            file.unlink(missing_ok=True)
        with connect(self._servers.database_url, "citygauge-demo", autocommit=True) as conn:
            self._register()
            begin = datetime.fromisoformat(self._city.live)
            books = Books(conn, self._progress, len(self._city.sensors), begin)
            newest = newest_time(conn) if self._wish.keep else None
            self._start_services()
            if newest is None:
                self._publish_history(books)
            else:
                self._resume = ["--resume", newest.isoformat()]
            self._start_city(books)
            self._watch(books)
            return self._close(books)

    def _register(self) -> None:
        from services.store.connection import connect
        from services.store.sensors import SensorRepository

        self._view.say(f"Registering {len(self._city.sensors)} sensors")
        with connect(self._servers.database_url, "citygauge-demo") as conn:
            SensorRepository(conn).upsert(self._city.sensors)

    def _start_services(self) -> None:
        from services.cli.demo_parts import answers

        self._view.say("Starting ingest, notify and the API")
        for name in ("ingest", "api", "notify"):
            self._services.start(name)
        self._services.start("detect", "--wait-for", str(self._learn))
        api = f"http://127.0.0.1:{self._environment['CITYGAUGE_API_PORT']}"
        metrics = [
            f"http://127.0.0.1:{self._environment[f'CITYGAUGE_{name}_METRICS_PORT']}/metrics"
            for name in ("INGEST", "DETECT", "NOTIFY")
        ]
        subscribed = partial(answers, metrics[0], "^citygauge_ingest_broker_connected 1")
        self._services.wait("ingest to subscribe", subscribed, self._stop)
        self._services.wait("the API to answer", partial(answers, f"{api}/healthz"), self._stop)
        token = self._environment["CITYGAUGE_API_LOGIN_TOKEN"]
        self._view.say(f"Console        {api}/login?token={token}  (signs in once)")
        self._view.say(f"API documents  {api}/docs")
        key = self._environment["CITYGAUGE_API_FIRST_KEY_FILE"]
        if Path(key).exists():
            self._view.say(f"API key        in {key}")
        self._view.say(f"Metrics        {api}/metrics  {'  '.join(metrics)}")

    def _publish_history(self, books: Books) -> None:
        """Days that the detectors learn from, through the broker and ingest like everything else."""
        from simulators.publish import Publisher

        self._view.say("Publishing the history that detection learns from")
        with Publisher(
            self._servers.device_mqtt_url, "citygauge-demo-history", insists=True
        ) as publisher:
            for message in self._city.history:
                publisher.publish(message.topic, message.payload, message.readings)
            books.add_history(publisher.flush().readings)
        self._services.wait("the history", lambda: books.look().balanced, self._stop)

    def _look(self, books: Books) -> Snapshot:
        """The books, and a check that nothing has ended which should not."""
        self._services.check()
        running = self._services.running(SIMULATORS)
        snapshot = books.look()
        if not running and not books.finished:
            raise self._services.failure(SIMULATORS)
        return snapshot

    def _start_city(self, books: Books) -> None:
        from services.cli.demo_parts import answers

        self._view.say("Starting detection, which learns the history first")
        if not self._resume:
            books.begin_detection("detect")
        self._learn.touch()
        url = f"http://127.0.0.1:{self._environment['CITYGAUGE_DETECT_METRICS_PORT']}/metrics"
        learnt = partial(answers, url, r"^citygauge_detect_rebuilds_total\{.*\} [1-9]")
        self._simulate()
        self._services.wait("detection to begin", learnt, self._stop)
        self._go.touch()
        self._ready_s = time.monotonic() - self._begun
        self._view.say(f"Ready after {self._ready_s:.1f} s")

    def _simulate(self) -> None:
        options = ["city", "--part", "live", "--start", self._city.live]
        options += ["--speed", str(self._wish.speed)]
        options += ["--sensors", str(self._wish.sensors), "--progress", str(self._progress)]
        options += ["--wait-for", str(self._go), *self._resume]
        if self._wish.seconds is not None:
            options += ["--for", str(self._wish.seconds)]
        url = self._servers.device_mqtt_url
        self._services.start(SIMULATORS, *options, MQTT_URL=url)

    def _watch(self, books: Books) -> None:
        """Show the city until it ends by itself or a person has seen enough."""
        while not books.finished and not self._stop.is_set():
            self._view.show(self._look(books))
            self._stop.wait(_LOOK_S)
        # Stopping the simulators lets them wait for what the broker has not acknowledged.
        self._services.forget(SIMULATORS)

    def _close(self, books: Books) -> dict[str, object]:
        """Wait until everything published is accounted for and looked at, then draw the balance."""
        deadline = time.monotonic() + _SETTLE_S
        never = threading.Event()
        while True:
            snapshot = books.look()
            settled = snapshot.balanced and not snapshot.in_flight and books.drained("detect")
            too_many = snapshot.accounted > snapshot.published  # waiting mends what is missing only
            if settled or too_many or time.monotonic() > deadline:
                break
            never.wait(0.1)
        self._view.show(books.look())
        self._view.say(
            f"Published {snapshot.published:,} readings: stored {snapshot.stored:,}, duplicates "
            f"{snapshot.duplicates:,}, rejected {snapshot.rejected:,}, in flight {snapshot.in_flight}"
        )
        return self._result(books, snapshot)

    def _result(self, books: Books, snapshot: Snapshot) -> dict[str, object]:
        lag = asdict(snapshot.lag)
        return {
            "published": snapshot.published,
            "stored": snapshot.stored,
            "duplicates": snapshot.duplicates,
            "rejected": snapshot.rejected,
            "in_flight": snapshot.in_flight,
            "balanced": snapshot.balanced,
            "sensors": snapshot.speaking[1],
            "ready_s": round(self._ready_s, 1),
            "simulated_until": snapshot.virtual_time.isoformat(),
            "lag_ms": {"p50": lag["p50"], "p99": lag["p99"]},
            "alert_lag_ms": {"p50": lag["alert_p50"], "p99": lag["alert_p99"]},
            "alerts": [
                {**asdict(alert), "state": alert.state}
                for alert in sorted(books.alerts.values(), key=lambda alert: alert.raised_at)
            ],
        }

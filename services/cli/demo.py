"""The demo: a whole city on this machine, from one command, and nothing of it left when it ends."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from services.cli.demo_city import City, begin_of, shared_begin

if TYPE_CHECKING:
    from services.cli.demo_books import Books, Snapshot
    from services.cli.demo_parts import Servers, Services
    from services.cli.demo_past import Past
    from services.cli.demo_view import View
    from services.cli.settings import Sources

_SENSORS: Final = 80
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
    sensors: int = typer.Option(_SENSORS, min=16, max=20_000, help="Meters and stations in all."),
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
    from services.cli.demo_parts import Servers, Services, WorkFolder, environment_of, given

    begun = time.monotonic()
    with WorkFolder(wish.keep, wish.sensors) as folder:
        live, contents = begin_of(folder.path / "begin"), None
        if wish.sensors == _SENSORS and not wish.keep and not given(sources):
            from services.cli.demo_past import with_past

            live = shared_begin()
            contents = with_past(wish.sensors, live, sources, view.say, stop)
        kept = folder.path if wish.keep else None
        with Servers(sources, kept, view.say, contents) as servers:
            environment = environment_of(servers.mqtt_url, sources, folder.path)
            services = Services(environment, folder.path)
            demo = _Demo(wish, view, stop, servers, services, environment, begun)
            try:
                return demo.run(live, goes_on=wish.keep or contents is not None)
            finally:
                view.say("Stopping")
                services.stop()


class _Demo:
    """One demo. What is computed at its start waits for nothing that it does not need: two cores are busy with it."""

    def __init__(
        self,
        wish: Wish,
        view: View,
        stop: threading.Event,
        servers: Servers,
        services: Services,
        environment: dict[str, str],
        begun: float,
    ) -> None:
        self._wish, self._view, self._stop = wish, view, stop
        self._servers, self._services = servers, services
        self._environment, self._begun = environment, begun
        self._ready_s = 0.0
        self._progress, self._go = services.log("progress"), services.log("go")

    def run(self, live: str, *, goes_on: bool) -> dict[str, object]:
        """The whole demo; `goes_on`: the database may hold the past of this city, up to some moment."""
        for file in (self._progress, self._go):
            file.unlink(missing_ok=True)
        if not goes_on:
            self._simulate(live)  # its history is computed while the database is prepared

        from services.cli.demo_books import Books
        from services.cli.demo_past import Past
        from services.store.connection import connect
        from services.store.past import newest_time

        city = City.of(self._wish.sensors, live)
        database = self._servers.database()
        with connect(database, "citygauge-demo", autocommit=True) as conn:
            newest = newest_time(conn) if goes_on else None
            if goes_on:
                self._simulate(live, newest)
            past = Past(database, self._services, self._environment, self._view.say, self._stop)
            # Whatever comes is counted from here: the books are opened before anybody stores a reading.
            books = Books(conn, self._progress, len(city.sensors), datetime.fromisoformat(live))
            past.begin(city.sensors)
            if newest is None:
                past.live_through(books, lambda: self._stored(books))
            past.learn()
            self._view.say("Starting the API and notify")
            for name in ("api", "notify"):
                self._services.start(name, DATABASE_URL=database)
            self._begin_live(books, past)
            self._watch(books)
            return self._close(books)

    def _look(self, books: Books) -> Snapshot:
        """The books, and a check that nothing has ended which should not."""
        from services.cli.demo_parts import SIMULATORS

        self._services.check()
        running = self._services.running(SIMULATORS)
        snapshot = books.look()
        if not running and not books.finished:
            raise self._services.failure(SIMULATORS)
        return snapshot

    def _simulated(self, books: Books) -> bool:
        """Whether the simulators have published what comes before their live part."""
        self._look(books)
        return books.begun

    def _stored(self, books: Books) -> bool:
        """Whether that, and all of it is accounted for."""
        return self._simulated(books) and self._look(books).balanced

    def _begin_live(self, books: Books, past: Past) -> None:
        """Let the simulators go on when the console answers and detection follows what is stored."""
        from services.cli.demo_parts import addresses, answers

        health = f"http://127.0.0.1:{self._environment['CITYGAUGE_API_PORT']}/healthz"
        self._services.wait("the API to answer", partial(answers, health), self._stop)
        for line in addresses(self._environment):
            self._view.say(line)
        past.wait_learnt()
        self._services.wait("the simulators", lambda: self._simulated(books), self._stop)
        self._go.touch()
        self._ready_s = time.monotonic() - self._begun
        self._view.say(f"Ready after {self._ready_s:.1f} s")

    def _simulate(self, live: str, newest: datetime | None = None) -> None:
        options = ["city", "--part", "live" if newest else "all", "--start", live]
        options += ["--speed", str(self._wish.speed)]
        options += ["--sensors", str(self._wish.sensors), "--progress", str(self._progress)]
        options += ["--wait-for", str(self._go)]
        if newest is not None:
            options += ["--resume", newest.isoformat()]
        if self._wish.seconds is not None:
            options += ["--for", str(self._wish.seconds)]
        from services.cli.demo_parts import SIMULATORS

        url = self._servers.device_mqtt_url
        self._services.start(SIMULATORS, *options, MQTT_URL=url)

    def _watch(self, books: Books) -> None:
        """Show the city until it ends by itself or a person has seen enough."""
        while not books.finished and not self._stop.is_set():
            self._view.show(self._look(books))
            self._stop.wait(_LOOK_S)
        from services.cli.demo_parts import SIMULATORS

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

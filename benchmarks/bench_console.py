"""The console in Chromium: a long list, live alerts, zooming a year, a map of a large city; prints a table.

A private database holds 100,000 sensors, 10,000 open alerts and a year of an inlet by the minute and of a meter by the
quarter of an hour, rolled up as `citygauge detect` does; the API runs in a thread beside the browser. A zoom step lasts
until the refined drawing stands, not until the coarse one that is there at once. It refuses to count the time that a
page waits for a person.

    python -m benchmarks console [-- --alerts 10000 --sensors 100000 --events 100]  ->  build/bench/console.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.console_map import panned
from benchmarks.console_memory import OPEN, grown
from benchmarks.report import Cell, table, write
from services.domain.alert import event_of_condition
from services.domain.batch import ReadingBatch
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import to_us
from services.domain.sensor import Sensor
from services.embedded.browser import find_chromium
from services.embedded.database import EmbeddedDatabase
from services.store import feed
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect, transaction
from services.store.migrations import migrate
from services.store.rollups.rollup import Rollups
from services.store.writing.readings import ReadingWriter
from tests.api_server import new_key, register, serving
from tests.browser.conftest import ARGUMENTS, driver

YEARS: Final = (
    Sensor("INLET", SensorKind.DMA_INLET, cadence_s=60.0, zone="Zone 0"),
    Sensor("METER", SensorKind.WATER_METER, cadence_s=900.0, zone="Zone 0"),
)
"""With a year of readings each, as often as such a sensor reports."""
ROUNDS: Final = 5
ZOOMS: Final = 12
RULES: Final = (Rule.BURST, Rule.CONTINUOUS_FLOW, Rule.BACKFLOW, Rule.STUCK)
SEVERITIES: Final = (Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.INFO)
WATCH: Final = """
  window.seen = {}; window.firstCard = 0; window.streamed = 0;
  const Source = window.EventSource;
  window.EventSource = class extends Source {
    constructor(...given) { super(...given); this.addEventListener('alert', () => { window.streamed += 1; }); }
  };
  new MutationObserver(() => {
    for (const card of document.querySelectorAll('.card')) {
      if (!window.firstCard && card.querySelector('button')) window.firstCard = performance.now();
      seen[card.dataset.id] ??= Date.now();
    }
  }).observe(document, {childList: true, subtree: true});
"""
FRAMES: Final = """(pixels) => new Promise((done) => {
  const gaps = []; let last = performance.now(); let steps = 0;
  const step = (now) => {
    gaps.push(now - last); last = now; scrollBy(0, pixels);
    if (++steps < 240) requestAnimationFrame(step); else done(gaps.slice(5));
  };
  requestAnimationFrame(step);
})"""


@dataclass
class Figures:
    """Rows of the table: what, aim, figures in the unit that stands in the name."""

    rows: list[list[Cell]] = field(default_factory=list)

    def add(self, what: str, aim: str, values: Sequence[float]) -> None:
        """One row of its median, 99th percentile and worst."""
        ordered = sorted(values)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        self.rows.append([what, aim, statistics.median(ordered), p99, ordered[-1]])
        print(f"  {what}: {statistics.median(ordered):.1f}", file=sys.stderr)


def sensors_of(count: int) -> list[Sensor]:
    """Meters in a square of half a degree, in zones so small that no alerts of one zone are folded into one entry."""
    side = int(count**0.5) + 1
    return [
        Sensor(
            f"M-{n:06d}", SensorKind.WATER_METER, zone=f"Zone {n // 28}", cadence_s=900.0,
            lon=-0.6 + 0.5 * (n % side) / side, lat=39.2 + 0.5 * (n // side) / side,
        )
        for n in range(count)
    ]  # fmt: skip


def raise_alerts(repository: AlertRepository, first: int, count: int, onset: datetime) -> list[str]:
    """So many alerts at as many meters; their ids."""
    events = []
    for n in range(first, first + count):
        evidence = Evidence("flow_litres_per_h", "L/h", 900.0 + n % 50, 600.0, 35.0, 600.0, 10, 0.0)
        at = to_us(onset + timedelta(seconds=n % 3000))
        condition = Condition(
            RULES[n % 4], f"M-{n:06d}", Change.RAISE, at, at, SEVERITIES[n % 4], 0.9, evidence
        )
        sentence = f"Water runs at meter M-{n:06d}. First: call the customer."
        event = event_of_condition(condition, sentence, None)
        assert event is not None
        events.append(event)
    repository.apply(events)
    return [str(event.alert_id) for event in events]


def fill(url: str, sensors: int, alerts: int) -> None:
    """The city: its register, its open alerts, and a year of two sensors."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    years = register(url, YEARS)
    with connect(url, "bench", autocommit=True) as connection:
        keeper = Rollups(connection)
        keeper.claim()
        read_a_year(connection, years, now)
        while keeper.round(now + timedelta(hours=2)).any:
            pass
        keeper.release()  # before those that have no past, which it would have to look for
        made = sensors_of(sensors)
        for at in range(0, sensors, 5000):
            register(url, made[at : at + 5000])
        repository = AlertRepository(connection)
        for at in range(0, alerts, 1000):
            raise_alerts(repository, at, min(1000, alerts - at), now - timedelta(hours=2))
        connection.execute("ANALYZE")


def read_a_year(conn: Connection, numbers: Mapping[str, int], now: datetime) -> None:
    """A year of readings of each of `YEARS`, and the feed with them, as ingest does."""
    for sensor in YEARS:
        minutes = np.arange(0, 365 * 24 * 60, int(sensor.cadence_s or 60) // 60)
        for part in np.array_split(minutes, 12):
            observed = to_us(now - timedelta(days=365)) + part * 60_000_000
            flow = (np.where(part % 1440 > 400, 90.0, 60.0) + part % 7).astype(np.float64)
            n = len(part)
            batch = ReadingBatch(
                sensor.domain,
                np.full(n, numbers[sensor.id], np.int32),
                observed,
                observed + 1_000_000,
                np.zeros(n, np.int16),
                {"flow_litres_per_h": flow},
            )
            with transaction(conn):
                feed.append(conn, ReadingWriter(conn).write(batch).accepted)


@contextmanager
def tab(browser: Browser, api_url: str, secret: str) -> Iterator[Page]:
    """A fresh tab of somebody who is signed in; nothing is cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    assert context.request.post(f"{api_url}/v1/session", data={"key": secret}).ok
    page = context.new_page()
    page.add_init_script(WATCH)
    page.set_default_timeout(60_000)
    yield page
    context.close()


def first_page(page: Page, url: str) -> tuple[float, float, float]:
    """Compressed kilobytes of the console's own files, of all that came, and ms until a card can be used."""
    link = page.context.new_cdp_session(page)
    link.send("Network.enable")
    names: dict[str, str] = {}
    sizes: dict[str, float] = {}
    link.on(
        "Network.responseReceived", lambda e: names.update({e["requestId"]: e["response"]["url"]})
    )
    link.on(
        "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
    )
    page.goto(url)
    page.wait_for_function("() => window.firstCard > 0")
    first = float(page.evaluate("window.firstCard"))
    page.wait_for_function("() => !document.querySelector('#cards[aria-busy]')")
    own = sum(size for each, size in sizes.items() if "/v1/" not in names.get(each, ""))
    return own / 1024, sum(sizes.values()) / 1024, first


def live(page: Page, url: str, first: int, count: int) -> list[float]:
    """Milliseconds from just before an alert's commit until its card is in the page."""
    begun: dict[str, float] = {}
    with connect(url, "bench", autocommit=True) as connection:
        repository = AlertRepository(connection)
        for n in range(first, first + count):
            at = time.time() * 1000
            (key,) = raise_alerts(repository, n * 4, 1, datetime.now(UTC))
            begun[key] = at
            page.wait_for_function("(id) => window.seen[id]", arg=key)
    seen: dict[str, float] = page.evaluate("window.seen")
    return [seen[key] - at for key, at in begun.items()]


def zooms(page: Page, url: str, sensor: Sensor) -> list[float]:
    """Milliseconds of each step from a year to an hour, from the click until the picture is drawn."""
    page.goto(f"{url}/#/sensor/{sensor.id}")
    page.reload()
    page.get_by_role("button", name="Last year").click()
    page.locator("#page canvas").first.wait_for()
    page.locator("#page [aria-busy]").wait_for(state="detached")
    step = """() => new Promise((done) => {
      const begun = performance.now();
      const place = document.querySelector('#page .panel .figure-head').nextElementSibling;
      const drawn = () => done(performance.now() - begun);
      const look = () => requestAnimationFrame(place.hasAttribute('aria-busy') ? look : drawn);
      document.querySelector('[aria-label="Closer"]').click();
      look();
    })"""
    page.wait_for_timeout(500)
    return [float(page.evaluate(step)) for _ in range(ZOOMS)]


def measure(arguments: argparse.Namespace, figures: Figures) -> None:
    """Everything, on one database."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: make browser")
    with EmbeddedDatabase() as database, driver() as tools:
        url = database.create()
        migrate(url)
        fill(url, arguments.sensors, arguments.alerts)
        secret = new_key(url, "operate")
        with serving(url) as api:
            browser = tools.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
            opened = []
            for _ in range(ROUNDS):
                with tab(browser, api.url, secret) as page:
                    opened.append(first_page(page, api.url))
            figures.add(
                "first page, own files, compressed, KB", "< 300", [own for own, _, _ in opened]
            )
            figures.add(
                "Now with the open alerts, usable after, ms", "< 1,500", [ms for _, _, ms in opened]
            )
            with tab(browser, api.url, secret) as page:
                page.goto(api.url)
                page.wait_for_function("() => !document.querySelector('#cards[aria-busy]')")
                page.wait_for_timeout(1500)
                figures.add("a frame while scrolling Now, ms", "< 50", page.evaluate(FRAMES, 160))
                page.evaluate("scrollTo(0, 0)")
                page.mouse.move(5, 400)
                first = arguments.alerts // 4
                figures.add(
                    "raised to visible, ms", "p99 < 1,000", live(page, url, first, arguments.events)
                )
                for sensor in YEARS:
                    what = f"a zoom step from a year to an hour, {sensor.id.lower()}, ms"
                    figures.add(what, "< 150", zooms(page, api.url, sensor))
                page.goto(f"{api.url}/#/")
                page.reload()
                page.wait_for_function("() => !document.querySelector('#cards[aria-busy]')")
                page.locator("#pulse[data-state=live]").wait_for()
                with ExitStack() as stack:
                    pages = {"Now": page}
                    for name, address in OPEN.items():
                        pages[name] = stack.enter_context(tab(browser, api.url, secret))
                        pages[name].goto(f"{api.url}/{address}")
                        pages[name].locator("html[data-ready] body[data-shown]").wait_for()
                    for what, aim, value in grown(pages, url, arguments.stream):
                        figures.add(what, aim, [value])
                shown, frames = panned(page, api.url)
                figures.add("the map of all sensors, usable after, ms", "< 3,000", shown)
                figures.add("a frame while panning that map, ms", "< 50", frames)
            browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--sensors", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--stream", type=int, default=20_000, help="events for the memory")
    arguments = parser.parse_args()
    figures = Figures()
    measure(arguments, figures)
    title = f"Console, {arguments.alerts:,} open alerts, {arguments.sensors:,} sensors"
    print(table(title, ["what", "aim", "median", "p99", "worst"], figures.rows))
    facts: dict[str, Any] = {"rows": figures.rows, **vars(arguments)}
    print(write("console", facts))


if __name__ == "__main__":
    main()

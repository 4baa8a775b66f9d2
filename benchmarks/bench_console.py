"""The console in Chromium: a long list, live alerts, zooming a year, a map of a large city; prints a table.

A private database holds 100,000 sensors, 10,000 open alerts and a year of one sensor, minute by minute, rolled up as
`citygauge detect` keeps it; the API runs in a thread beside the browser. A zoom step lasts until the refined drawing
stands, not until the coarse one that is there at once. It refuses to count the time that a page waits for a person.

    python -m benchmarks console [-- --alerts 10000 --sensors 100000 --events 100]  ->  build/bench/console.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from playwright.sync_api import Browser, Page

from benchmarks.console_map import panned
from benchmarks.console_memory import lasting
from benchmarks.report import Cell, table, write
from services.domain.alert import event_of_condition
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import to_us
from services.domain.sensor import Sensor
from services.embedded.browser import find_chromium
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from services.store.migrations import migrate
from services.store.rollups.rollup import Rollups
from tests.api_server import new_key, register, serving, store
from tests.browser.conftest import ARGUMENTS, driver

YEAR: Final = Sensor("YEAR", SensorKind.WATER_METER, cadence_s=60.0, zone="Zone 0")
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
    """The city: its register, its open alerts, and a year of one meter."""
    made = sensors_of(sensors)
    for at in range(0, sensors, 5000):
        register(url, made[at : at + 5000])
    number = register(url, [YEAR])[YEAR.id]
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = 365 * 24 * 60
    for at in range(0, minutes, 50_000):
        times = [now - timedelta(minutes=minutes - k) for k in range(at, min(minutes, at + 50_000))]
        flow = [60.0 + 30 * (k % 1440 > 400) + k % 7 for k in range(len(times))]
        store(url, YEAR, number, times, flow_litres_per_h=flow)
    with connect(url, "bench", autocommit=True) as connection:
        repository = AlertRepository(connection)
        for at in range(0, alerts, 1000):
            raise_alerts(repository, at, min(1000, alerts - at), now - timedelta(hours=2))
        keeper = Rollups(connection)
        keeper.claim()
        while keeper.round(now + timedelta(hours=2)).any:
            pass
        keeper.release()
        connection.execute("ANALYZE")


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


def zooms(page: Page, url: str) -> list[float]:
    """Milliseconds of each step from a year to an hour, from the click until the picture is drawn."""
    page.goto(f"{url}/#/sensor/{YEAR.id}")
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
                figures.add("a zoom step from a year to an hour, ms", "< 150", zooms(page, api.url))
                page.goto(f"{api.url}/#/")
                page.reload()
                page.wait_for_function("() => !document.querySelector('#cards[aria-busy]')")
                page.locator("#pulse[data-state=live]").wait_for()
                before, after = lasting(page, url, 0, arguments.stream)
                figures.add("memory before the stream's events, MB", "-", [before])
                figures.add("memory after them, MB", "< 2 MB more", [after])
                shown, frames = panned(page, api.url)
                figures.add("the map of all sensors, usable after, ms", "-", shown)
                figures.add("a frame while panning that map, ms", "-", frames)
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

"""Every word on every page comes from the language's one file: nothing is English to who reads another language.

A language that nobody shipped is dropped in as one file, its words in marks; each page is shown in it, on data without
a Latin letter, and what is read without marks fails. So does what only assistive technology reads, and what is drawn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from services.api.errors import PreviewFailed
from services.api.neighbours import Neighbours
from services.cli.previewer import ProcessPreviewer
from services.cli.route_settings import routes_of
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from services.detect.words.sentences import say as words
from services.domain.alert import Alert, EventKind
from services.domain.catalogue import SensorKind
from services.domain.condition import Condition, Rule
from services.domain.rejection import Rejection, RejectReason
from services.domain.sensor import Sensor
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.problem import problem
from services.domain.sentences.rejected import detail
from services.store import rejected
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect, transaction
from tests.api_server import Api, register, say, serving, store
from tests.browser.conftest import Console, arrive, calm
from tests.browser.history import NOW, ONSET
from tests.endpoint import Endpoint, endpoint
from tests.notifying import hook, pass_once, settings_of
from tests.pseudo_language import TAG, spoken, unmarked
from tests.said_samples import samples

__all__ = ["endpoint"]
pytestmark = pytest.mark.browser

READ = """() => {
  const own = 'code, pre, kbd, script, style, noscript, title';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const said = [document.title, ...window.drawn ?? []];
  let block = null, text = '';
  while (walk.nextNode()) {
    const { parentElement: at, data } = walk.currentNode;
    if (!data.trim() || at.closest(own)) continue;
    const now = at.closest('p, li, td, th, dd, dt, h1, h2, h3, button, label, option, legend, summary, a, div');
    if (now !== block) { said.push(text); text = ''; block = now; }
    text += data;
  }
  said.push(text);
  for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'label', 'aria-valuetext']) {
    for (const each of document.querySelectorAll(`[${name}]`)) said.push(each.getAttribute(name));
  }
  return [...new Set(said)];
}"""
DRAWN = """(() => {
  window.drawn = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.drawn.push(String(text));
    return write.call(this, text, ...rest);
  };
})()"""

WHO, YES = "Άννα", "Νερό"
ZONE, ROAD = "Ζώνη 3", "Δ-30"
METER = Sensor(
    "17", SensorKind.WATER_METER, name="Μύλου 14", lon=-0.37, lat=39.47, zone=ZONE, cadence_s=300.0, gateway="7"
)  # fmt: skip
NEXT = replace(METER, id="18", name="Μύλου 16", lat=39.48)
INLET = replace(METER, id="19", kind=SensorKind.DMA_INLET, name="Πηγή")
STATION = Sensor(
    "31", SensorKind.TRAFFIC_STATION, name="Πύλη", road=ROAD, direction="β", position_m=9600, lon=-0.3, lat=39.4,
    cadence_s=300.0,
)  # fmt: skip
AFTER = replace(STATION, id="32", name="Λίμνη", position_m=11_000)
PLACE: Final = re.compile(r"\{(\w+)\}")
TRIED: Final = "burst_night_h"
ENDED: Final = (
    problem("preview_memory", megabytes=500),
    problem("preview_slow", seconds=60),
    problem("lost"),
)


class Previewer(ProcessPreviewer):
    """Says at once what a preview would have said; one of another limit than TRIED fails."""

    def run(
        self, asked: Mapping[str, Any], report: Callable[[float], bool]
    ) -> Mapping[str, Any] | None:
        if TRIED in asked["changes"]:
            return compared()
        raise PreviewFailed(ENDED[0])


def compared() -> dict[str, Any]:
    """One alert of each outcome."""
    side = {"told": 1, "right": 1, "wrong": 0, "unjudged": 0, "precision": 1.0, "median_h": 2.0}
    told = {"started_at": ONSET.isoformat(), "told_at": NOW.isoformat(), "severity": "warning"}
    later = {**told, "told_at": (NOW + timedelta(hours=1)).isoformat(), "severity": "critical"}
    of = {
        "sensor_id": METER.id,
        "name": METER.name,
        "rule": "burst",
        "time_zone": "UTC",
        "alert_id": None,
    }
    item = {**of, "verdict": None, "alert_rule": None, "sentence": ""}
    items = [
        {**item, "outcome": "kept", "present": told, "changed": later},
        {**item, "outcome": "gained", "present": None, "changed": told},
        {**item, "outcome": "lost", "present": told, "changed": None},
    ]
    counts = {"sensors": 1, "kept": 1, "gained": 1, "lost": 1, "not_again": 1}
    return {**counts, "present": side, "changed": side, "items": items}


@pytest.fixture
def console_api(database_url: str, endpoint: Endpoint) -> Iterator[Api]:
    """The API in a language that was dropped in, on a town, with a route that hears and one that does not."""
    with spoken():
        settings = settings_of(hook(endpoint, "1"), hook(endpoint, "2", language=TAG))
        endpoint.refuses = lambda request: request.path == "/2"
        limits = DetectorSettings()
        beside = Neighbours(
            rules_of(limits),
            Previewer(database_url, limits, 35.0, 1_000_000_000, 120.0),
            routes_of(settings, database_url),
        )
        pass_once(database_url, settings)
        with serving(database_url, neighbours=beside, stream_heartbeat_s=1) as running:
            town(database_url)
            pass_once(database_url, settings)
            yield running


def town(url: str) -> None:
    """Sensors with a day of readings, alerts of each form with what people do to them, and rejected messages."""
    numbers = register(url, [METER, NEXT, INLET, STATION, AFTER])
    times = [NOW - timedelta(minutes=5 * k) for k in reversed(range(288))]
    level = [50.0] * len(times)
    for sensor in (METER, NEXT, INLET):
        store(url, sensor, numbers[sensor.id], times, flow_litres_per_h=level)
    for sensor in (STATION, AFTER):
        store(url, sensor, numbers[sensor.id], times, speed_km_per_h=level, flow_veh_per_h=level)
    first = raised(url, Rule.BURST, METER)
    raised(url, Rule.CONGESTION, STATION)
    stuck = raised(url, Rule.STUCK, NEXT)
    for subject in ("feed/water", "gateway/7"):
        raised(url, Rule.FEED_SILENT, METER, subject)
    later = (NOW + timedelta(hours=4)).isoformat()
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        for kind, data in (
            (EventKind.ACKNOWLEDGED, {}),
            (EventKind.ASSIGNED, {"assignee": WHO}),
            (EventKind.PROGRESSED, {"work": "crew_sent"}),
            (EventKind.COMMENTED, {"comment": YES}),
            (EventKind.SHELVED, {"reason": YES, "until": later}),
            (EventKind.UNSHELVED, {}),
        ):
            repository.act(first.id, kind, WHO, datetime.now(UTC), data)
        repository.act(stuck.id, EventKind.RESOLVED, WHO, datetime.now(UTC), {"verdict": "real"})
        with transaction(conn):
            rejected.add(conn, list(bad_messages()), datetime.now(UTC))


def raised(url: str, rule: Rule, sensor: Sensor, subject: str | None = None) -> Alert:
    """An alert that says what its detector would say of it."""
    kind = (subject or "").partition("/")[0]
    condition: Condition = next(
        c
        for c, _ in samples()
        if c.rule is rule and (subject is None or c.subject.startswith(kind))
    )
    metric = "speed_km_per_h" if rule is Rule.CONGESTION else "flow_litres_per_h"
    evidence = replace(condition.evidence, metric=metric)
    condition = replace(condition, subject=subject or sensor.id, evidence=evidence)
    return say(
        url,
        subject=condition.subject,
        rule=rule,
        severity=condition.severity,
        onset=ONSET,
        sentence=words(condition, sensor),
        evidence=condition.evidence,
    )


def bad_messages() -> Iterator[Rejection]:
    """One message for each way in which one can be wrong."""
    templates = LANGUAGES[ENGLISH].sentences
    for key in (key for key in templates if key.startswith("detail.")):
        _, reason, which = key.split(".")
        numbers = dict.fromkeys(("at", "size", "line", "column", "char", "levels", "most"), "7")
        values = dict.fromkeys(PLACE.findall(templates[key]), "7") | numbers
        text = detail(RejectReason(reason), which, **values)
        yield Rejection(RejectReason(reason), text, "1/17", b"{", METER.id)


class Reader:
    """Reads what every view says, and keeps what does not come from the catalogue."""

    def __init__(self, console: Console) -> None:
        self.console, self.page = console, console.page
        self.found: dict[str, list[str]] = {}

    def look(self, view: str) -> None:
        """Read all that is there."""
        wrong = [text for text in self.page.evaluate(READ) if unmarked(text)]
        known = {text for each in self.found.values() for text in each}
        if new := [text for text in wrong if text not in known]:
            self.found[view] = new
        self.page.evaluate("window.drawn = []")

    def go(self, address: str) -> Page:
        """Read a page."""
        self.page.evaluate("(hash) => { location.hash = hash; }", address)
        arrive(self.page, address)
        self.look(address)
        return self.page

    def press(self, button: Locator, view: str) -> None:
        """Press a button and read what it shows."""
        button.click()
        calm(self.page)
        self.look(view)


def pages_of(api: Api) -> list[str]:
    """The address of each page, and of one of each thing that has a page."""
    with connect(api.database_url, "test", autocommit=True) as conn:
        alerts = [
            row[0] for row in conn.execute("SELECT id::text FROM alert ORDER BY rule, subject")
        ]
        number = rejected.page(conn, limit=1).items[0].id
    return [
        "#/", "#/?show=all", *(f"#/alert/{each}" for each in alerts), "#/map", "#/corridors",
        f"#/corridor/{quote(ROAD)}", "#/zones", f"#/zone/{quote(ZONE)}", "#/sensors", "#/sensor/17", "#/sensor/31",
        "#/sensor/0", "#/quality", "#/quality?tab=days", "#/quality?tab=rejected", f"#/rejected/{number}",
        "#/performance", "#/rules", "#/rule/burst", "#/expect", "#/expect?add=yes", "#/messages",
    ]  # fmt: skip


def acts(reader: Reader, address: str) -> None:
    """Each form of an alert, empty: what it asks, and what it says is missing."""
    page = reader.go(address)
    buttons = page.locator("#view .acts[role=group] button")
    for n in range(1, buttons.count()):
        reader.press(buttons.nth(n), f"act {n}")
        reader.press(page.locator("#view form button[type=submit]"), f"act {n}, nothing said")
        if page.locator("#view form").count():
            page.locator("#view form button[type=button]").last.click()


def expecting(reader: Reader) -> None:
    """Works that cannot be: somewhere unknown."""
    page = reader.go("#/expect?add=yes")
    send = page.locator("#page form button[type=submit]")
    reader.press(send, "expect nothing")
    page.locator("#page form input[maxlength='500']").fill("99")
    page.locator("#page form textarea").fill(YES)
    reader.press(send, "expect an unknown sensor")
    page.locator("#page form input[maxlength='500']").fill(METER.id)
    reader.press(send, "expect works")


def trying(reader: Reader) -> None:
    """Limits out of their bounds, one that comes to nothing, and one that is answered."""
    page = reader.go("#/rule/burst")
    ask = page.locator("#page form button[type=submit]")
    for name, value in (("burst_day_h", "-1"), ("burst_day_h", "7"), (TRIED, "3")):
        page.locator(f"#limit-{name}").fill(value)
        ask.click()
        if name == TRIED:
            expect(page.locator("#tried-answer")).to_be_visible()
        else:
            expect(page.locator("#page [role=alert]:visible")).not_to_be_empty()
        calm(page)
        reader.look(f"{name} = {value}")
        page.locator("#page form button[type=reset]").click()


def telling(reader: Reader) -> None:
    """Tests of both routes, and what was told."""
    page = reader.go("#/messages")
    for route in ("1", "2"):
        page.locator(f"button[data-route='{route}']").click()
        cell = page.locator(f"td:has(button[data-route='{route}']:enabled)")
        expect(cell.locator("[role=status]")).not_to_be_empty()
    reader.look("tests of routes")


def around(reader: Reader) -> None:
    """Dialogs, the search, several alerts at once, and a reason's messages at once."""
    page = reader.go("#/")
    for n in (0, 1):
        reader.press(page.locator("#rail-foot button").nth(n), f"dialog {n}")
        page.keyboard.press("Escape")
    for text in ("1", "Ζώνη", "zzz"):
        page.locator("#search-box").fill(text)
        expect(page.locator("#search-results")).to_contain_text("⟦")
        calm(page)
        reader.look(f"search {text}")
    page.locator("#search-box").fill("")
    for box in page.locator("#cards input[type=checkbox]").all()[:2]:
        box.check()
    for n in range(1, 4):
        reader.press(page.locator("#bulk .acts button").nth(n), f"several at once {n}")
        page.keyboard.press("Escape")
    page = reader.go("#/quality?tab=rejected&reason=not_json")
    for n in (0, 1):
        reader.press(page.locator("#page .acts button").nth(n), f"all of a reason {n}")
        reader.press(page.locator("dialog button[type=submit]"), f"all of a reason {n}, done")
        page.keyboard.press("Escape")


@pytest.mark.timeout(900)  # every page, one after the other; the machine that runs it may be slow
def test_nothing_is_read_that_is_not_of_the_language(console: Console) -> None:
    console.expected = ("Failed to load resource",)
    page = console.page
    page.add_init_script(DRAWN)
    kept = json.dumps(json.dumps({"language": TAG}))
    page.add_init_script(f"localStorage.setItem('citygauge preferences', {kept})")
    console.open()
    reader = Reader(console)
    pages = pages_of(console.api)
    for address in pages:
        reader.go(address)
    acts(reader, next(address for address in pages if "alert" in address))
    expecting(reader)
    trying(reader)
    telling(reader)
    around(reader)
    page.goto(console.api.url + "/login?used")
    page.locator("#key").fill("0")
    page.locator("button[type=submit]").click()
    expect(page.locator("#wrong")).to_be_visible()
    reader.look("login")
    assert not reader.found, json.dumps(reader.found, ensure_ascii=False, indent=1)

"""For everyone: axe finds nothing on any page, in both themes and languages, and no page is wider than a phone."""

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.rejection import Rejection, RejectReason
from services.domain.sensor import Sensor
from services.store import rejected
from services.store.connection import connect, transaction
from tests.api_server import METER, STATION, register, say, store
from tests.browser.conftest import Console, arrive
from tests.browser.history import NOW, ONSET, with_history

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
LOOK = """async () => {
  const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
  const rules = {region: {enabled: false}};
  const { violations } = await axe.run(document, {runOnly, rules, resultTypes: ['violations']});
  return violations.flatMap((each) => each.nodes.slice(0, 3).map((node) => `${each.id}: ${node.html.slice(0, 160)}`));
}"""
"""Landmarks are judged by our own outline: a skip link, one main, a named navigation."""


@pytest.fixture
def town(console: Console) -> tuple[Console, list[str]]:
    """A console on a small town in which every page has something to show, and those pages."""
    url = console.api.database_url
    with_history(console.api)
    stations = [
        replace(STATION, position_m=12_000.0),
        replace(STATION, id="T-2", position_m=13_000.0),
    ]
    inlet = replace(METER, id="IN-3", kind=SensorKind.DMA_INLET)
    numbers = register(url, [*stations, inlet])
    times = [NOW - timedelta(minutes=5 * k) for k in reversed(range(288))]
    speeds = [80 + 20 * math.sin(k / 40) for k in range(288)]
    for station in stations:
        number = numbers[station.id]
        store(url, station, number, times, speed_km_per_h=speeds, flow_veh_per_h=speeds)
    store(url, inlet, numbers[inlet.id], times, flow_litres_per_h=[300.0] * len(times))
    register(url, [Sensor("M-18", SensorKind.WATER_METER, zone=METER.zone, lon=-0.37, lat=39.47)])
    alert = say(url, onset=ONSET, sentence="Flow jumped to 1,840. First: call the customer.")
    say(url, subject="M-18", onset=ONSET)
    with connect(url, "test", autocommit=True) as conn, transaction(conn):
        bad = Rejection(RejectReason.NOT_JSON, "no JSON at byte 3", "water/M-17", b'{"a')
        rejected.add(conn, [bad], NOW)
        number = rejected.page(conn, limit=1).items[0].id
    return console, [
        "#/", f"#/alert/{alert.id}", "#/map", "#/corridors", f"#/corridor/{STATION.road}", "#/zones",
        f"#/zone/{quote(str(METER.zone))}", "#/sensors", f"#/sensor/{METER.id}", "#/quality", "#/quality?tab=days",
        "#/quality?tab=rejected", f"#/rejected/{number}", "#/performance", "#/rules",
        "#/rule/burst",
        "#/expect", "#/expect?add=yes", "#/messages",
    ]  # fmt: skip


@pytest.mark.timeout(900)  # every page, looked at by axe; the machine that runs it may be slow
@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("es", "dark")])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    town: tuple[Console, list[str]], language: str, scheme: str
) -> None:
    console, addresses = town
    page = console.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    chosen = (
        f"localStorage.setItem('citygauge preferences', JSON.stringify({{language: '{language}'}}))"
    )
    page.add_init_script(chosen)
    console.open()
    page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for address in addresses:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.evaluate("(hash) => { location.hash = hash; }", address)
        arrive(page, address)
        if wrong := page.evaluate(LOOK):
            found[address] = wrong
        page.set_viewport_size({"width": 360, "height": 740})
        try:
            page.wait_for_function("() => document.documentElement.scrollWidth <= 360")
        except TooLate:
            found.setdefault(address, []).append("wider than a phone of 360 pixels")
    page.set_viewport_size({"width": 1440, "height": 900})
    for button in ("settings", "help"):
        words = {"en": {"settings": "Language and units", "help": "Keyboard help"},
                 "es": {"settings": "Idioma y unidades", "help": "Ayuda del teclado"}}[language][button]  # fmt: skip
        page.get_by_role("button", name=words).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        if wrong := page.evaluate(LOOK):
            found[button] = wrong
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert not found
    for path, there in (("/login", "button[type=submit]:enabled"), ("/docs", "details.op")):
        page.goto(console.api.url + path)
        page.locator(there).first.wait_for()
        page.evaluate(AXE)
        if wrong := page.evaluate(LOOK):
            found[path] = wrong
    assert not found

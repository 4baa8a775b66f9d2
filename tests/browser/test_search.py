"""Search from anywhere: groups of sensors, places and alerts; by keyboard alone; Enter may come before the results."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from tests.api_server import METER, STATION, register, say
from tests.browser.conftest import Console
from tests.browser.test_everyone import AXE, LOOK

pytestmark = pytest.mark.browser


def test_everything_is_found_from_anywhere_by_keyboard(console: Console) -> None:
    url = console.api.database_url
    mill = Sensor("A-1", SensorKind.WATER_METER, name="Old Mill", zone="Millside")
    register(url, [METER, mill, replace(STATION, road="Mill Road", position_m=10.0)])
    say(url)
    page = console.open("/#/rules")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Find a sensor, place or alert")
    expect(box).to_be_focused()
    page.keyboard.type("mill")
    results = page.get_by_role("listbox", name="What was found")
    for group, text in (
        ("Sensors", "Old Mill"),
        ("Zones", "Millside"),
        ("Roads", "Mill Road north"),
        ("Alerts", "Sudden high flow: possible burst · 14 Mill Street"),
    ):
        expect(results.get_by_role("group", name=group)).to_contain_text(text)
    page.evaluate(AXE)
    assert not page.evaluate(LOOK)
    options = results.get_by_role("option")
    expect(options).to_have_count(5)
    box.press("ArrowUp")  # from the first to the last
    expect(options.last).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(page.locator("#view h2")).to_have_text("Sudden high flow: possible burst")
    expect(results).to_be_hidden()
    box.fill("millside")
    box.press("Enter")  # before anything was answered
    expect(page.locator("#page h1")).to_have_text("Millside")
    box.fill("nothing like this")
    expect(results).to_contain_text("Nothing found")
    box.press("Escape")
    expect(results).to_be_hidden()
    expect(box).to_have_value("")

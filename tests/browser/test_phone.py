"""A phone: no page is wider than its screen."""

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Evidence, Rule
from services.domain.sensor import Sensor
from tests.api_server import register, say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser


def test_a_phone_has_no_horizontal_scroll_however_long_the_names_are(console: Console) -> None:
    long = Sensor("L" * 128, SensorKind.TRAFFIC_STATION, name="W" * 200, road="R" * 90)
    register(console.api.database_url, [long])
    slow = Evidence("speed_km_per_h", "km/h", 40.0, 64.0, 95.0, 300.0, 10, 0.0)
    alert = say(
        console.api.database_url, subject=long.id, rule=Rule.CONGESTION, evidence=slow, sentence="s" * 600
    )  # fmt: skip
    page = console.page
    page.set_viewport_size({"width": 360, "height": 740})
    for address in ("/", f"/#/alert/{alert.id}", f"/#/sensor/{long.id}"):
        console.open(address)
        expect(page.locator("main h1:visible, main h2:visible").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    for address, there in (("/login", "button[type=submit]:enabled"), ("/docs", "details.op")):
        page.goto(console.api.url + address)
        page.locator(there).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address

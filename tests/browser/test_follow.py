"""Pages that stay open: they go on with the readings, and say of when they are where they cannot."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from services.store.connection import connect
from services.store.sensors import SensorRepository
from tests.api_server import METER, STATION, store
from tests.browser.conftest import Console, arrive
from tests.browser.history import NOW, REFUSED
from tests.browser.town import town

pytestmark = pytest.mark.browser

LOOKS_MS = 31_000


def test_a_page_that_stays_open_goes_on_or_says_that_it_is_stale(console: Console) -> None:
    console.expected = (REFUSED,)
    url = console.api.database_url
    town(console)
    with connect(url, "test") as connection:
        known = SensorRepository(connection)
        numbers = {each: known.registered(each).number for each in (METER.id, STATION.id)}
    page = console.page
    page.clock.install()
    console.open(f"/#/sensor/{METER.id}")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("litres per hour")
    later = [NOW + timedelta(minutes=1)]
    store(url, METER, numbers[METER.id], later, flow_litres_per_h=[4321.0])
    page.clock.fast_forward(LOOKS_MS)
    expect(facts).to_contain_text("4,321 litres per hour")
    page.route("**/latest", lambda route: route.fulfill(status=500, body="{}"))
    page.clock.fast_forward(LOOKS_MS)
    expect(page.get_by_text("it could not be refreshed")).to_be_visible()
    page.unroute("**/latest")
    page.clock.fast_forward(LOOKS_MS)
    expect(page.get_by_text("it could not be refreshed")).to_be_hidden()

    page.evaluate("(hash) => { location.hash = hash; }", f"#/corridor/{STATION.road}")
    arrive(page, f"#/corridor/{STATION.road}")
    before = page.locator(".period").inner_text()
    store(url, STATION, numbers[STATION.id], [NOW + timedelta(minutes=7)], speed_km_per_h=[12.0])
    page.clock.fast_forward(LOOKS_MS)
    expect(page.locator(".period")).not_to_have_text(before)
    expect(page.locator(".tile").filter(has_text="Takes now")).to_contain_text("minutes")

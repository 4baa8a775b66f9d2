"""The charts of readings: drawn, as a table, worked out from a register, with a band."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from services.domain.condition import Evidence, Rule
from tests.api_server import METER, register, say, store
from tests.browser.conftest import Console, calm, held, release
from tests.browser.history import NOW, ONSET, wait_until_painted, with_history

pytestmark = pytest.mark.browser


def test_the_chart_of_an_alert_is_drawn_and_has_a_table(console: Console) -> None:
    with_history(console.api)
    alert = say(console.api.database_url, onset=ONSET)
    page = console.open(f"/#/alert/{alert.id}")
    chart = page.locator("#view, #page").get_by_role("img", name="Flow from")
    expect(chart).to_be_visible()
    wait_until_painted(page)
    for text in ("Limit 600 litres per hour", "Began", "Alert given"):
        expect(page.locator(".key")).to_contain_text(text)
    page.get_by_role("button", name="Show as table").click()
    rows = page.locator("#view table tbody tr")
    expect(rows.nth(60)).to_be_attached()
    expect(rows.first.locator("time")).to_have_attribute("title", re.compile("UTC"))
    page.get_by_role("button", name="Show as chart").click()
    expect(chart).to_be_visible()


def test_a_sensor_is_found_and_shown(console: Console) -> None:
    with_history(console.api)
    page = console.open()
    box = page.get_by_role("combobox", name="Find a sensor")
    box.fill("mill")
    expect(page.locator("#search-results [role=option]")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(page.get_by_role("heading", name="14 Mill Street")).to_be_visible()
    expect(page.locator("#view, #page").get_by_role("img", name="Flow from")).to_be_visible()
    wait_until_painted(page)
    expect(page.get_by_text("It never raised an alert.")).to_be_visible()
    page.get_by_role("button", name="Last year").click()
    expect(page.locator("#view, #page").get_by_role("img", name="Flow from")).to_be_visible()


def test_a_meter_that_only_counts_shows_its_flow(console: Console) -> None:
    number = register(console.api.database_url, [METER])[METER.id]
    times = [NOW - timedelta(minutes=120 - i) for i in range(120)]
    litres = [1000.0 + 10 * i for i in range(120)]
    store(console.api.database_url, METER, number, times, register_litres=litres)
    alert = say(console.api.database_url, onset=ONSET)
    page = console.open(f"/#/alert/{alert.id}")
    expect(
        page.locator("#view, #page").get_by_role("img", name="Flow from 600 to 600")
    ).to_be_visible()
    expect(page.locator(".key")).to_contain_text("worked out from the meter reading")


def test_an_alert_shows_the_band_that_its_own_evidence_has(console: Console) -> None:
    with_history(console.api)
    evidence = Evidence(
        "flow_litres_per_h", "L/h", 1840.0, 600.0, 35.0, 600.0, 10, 0.0, {"sigma_litres_per_h": 9.0}
    )
    alert = say(console.api.database_url, onset=ONSET, evidence=evidence)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view .key .k-band")).to_have_text("Usual at this hour")


def test_a_zoom_shows_at_once_what_is_there_and_then_the_finer_answer(console: Console) -> None:
    with_history(console.api)
    page = console.open(f"/#/sensor/{METER.id}")
    wait_until_painted(page)
    calm(page)
    picture = "document.querySelector('.plot canvas').toDataURL()"
    before = page.evaluate(picture)
    waiting = held(page, "**/readings?*")
    page.get_by_role("button", name="Closer").click()
    page.wait_for_function(f"(before) => {picture} !== before", arg=before)
    expect(page.locator("#page [aria-busy=true]")).to_have_count(1)
    coarse = page.evaluate(picture)
    release(page, waiting)
    expect(page.locator("#page [aria-busy=true]")).to_have_count(0)
    page.wait_for_function(f"(coarse) => {picture} !== coarse", arg=coarse)
    page.unroute_all(behavior="ignoreErrors")


def test_a_register_that_falls_is_drawn_as_it_falls(console: Console) -> None:
    number = register(console.api.database_url, [METER])[METER.id]
    times = [NOW - timedelta(hours=12 - hour) for hour in range(13)]
    reads = [12_345_678.0 - 18.0 * max(0, hour - 6) for hour in range(13)]
    store(console.api.database_url, METER, number, times, register_litres=reads)
    evidence = Evidence("register_litres", "L", -108.0, -3.0, 0.0, 21600.0, 6, 0.0)
    onset = NOW - timedelta(hours=6)
    alert = say(
        console.api.database_url, rule=Rule.BACKFLOW, onset=onset, at=NOW, evidence=evidence
    )
    page = console.open(f"/#/alert/{alert.id}")
    key = page.locator("#view .key")
    expect(key).to_contain_text("Meter reading")
    expect(key).not_to_contain_text("Limit")  # a limit of -3 litres is no height of the register
    expect(page.locator("#view .facts")).to_contain_text("-3 litres")
    wait_until_painted(page)

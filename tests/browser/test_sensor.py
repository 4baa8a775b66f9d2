"""One sensor from a year to single readings, beside its band and last week, and as a file; performance and rules."""

import csv
import io
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from services.api.neighbours import Neighbours
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from tests.api_server import METER, new_key, register, say, serving, store
from tests.browser.conftest import Console, calm, tab
from tests.browser.history import NOW, ONSET, wait_until_painted, with_history

pytestmark = pytest.mark.browser


def test_an_engineer_zooms_compares_and_takes_away_exactly_what_is_seen(console: Console) -> None:
    url = console.api.database_url
    number = register(url, [METER])[METER.id]
    times = [NOW - timedelta(minutes=5 * k) for k in reversed(range(12 * 24 * 36))]
    flow = [100.0 + time.hour + (500.0 if time >= ONSET else 0.0) for time in times]
    store(url, METER, number, times, flow_litres_per_h=flow)
    say(url, onset=ONSET)
    page = console.open(f"/#/sensor/{METER.id}")
    wait_until_painted(page)
    key = page.locator(".key")
    expect(key).to_contain_text("Usual at this hour")
    expect(key).to_contain_text("Alerts")
    page.get_by_label("A week earlier").check()
    expect(key).to_contain_text("A week earlier")
    console.stands_at("compare=week")
    about = page.locator(".figure-foot")
    page.get_by_role("button", name="Last month").click()
    expect(about).to_contain_text("means of")
    page.get_by_role("button", name="Last day").click()
    expect(about).to_contain_text("every reading")
    expect(key).to_contain_text("Usual at this hour")  # drawn a moment after the readings

    calm(page)
    plot = page.locator(".u-over").bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + plot["width"] * 0.6, plot["y"] + 60)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.9, plot["y"] + 80, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Last day")).to_have_attribute("aria-pressed", "false")
    console.reload()
    wait_until_painted(page)
    drawn = page.locator("#page .plot").get_attribute("aria-label")
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(taken.value.path().read_text())))
    values = [float(row["flow_litres_per_h"]) for row in rows]
    assert f"{len(values)} values" in str(drawn)
    stored = {f"{time:%Y-%m-%dT%H:%M:%SZ}": value for time, value in zip(times, flow, strict=True)}
    assert 20 < len(rows) < 150
    assert values == [stored[row["time"]] for row in rows]
    expect(page.locator(".heat tbody tr")).to_contain_text("14 Mill Street")


def test_performance_says_what_was_told_and_what_became_of_it(console: Console) -> None:
    api = console.api
    with_history(api)
    alert = say(api.database_url, onset=ONSET)
    with api.client(new_key(api.database_url, "operate", name="Colleague")) as client:
        assert client.post(f"/v1/alerts/{alert.id}/resolve", json={"verdict": "real"}).is_success
    page = console.open("/#/performance")
    told = page.get_by_role("row", name="Alerts told to people")
    expect(told.locator("td").last).to_have_text("1")
    expect(page.get_by_role("row", name="Closed as real").locator("td").last).to_have_text("1")
    expect(page.get_by_role("row", name="Alerts a person and hour")).to_contain_text("at most 6")
    expect(page.get_by_role("row", name="Sudden high flow").first).to_contain_text("100%")


def test_the_rules_say_what_they_ask_and_what_they_are_set_to(
    browser: Browser, database_url: str
) -> None:
    settings = DetectorSettings(burst_litres_per_h=500.0)
    token = "t" * 40
    beside = Neighbours(rules_of(settings))
    with (
        serving(database_url, login_token=token, neighbours=beside) as api,
        tab(browser, api) as console,
    ):
        console.page.goto(f"{api.url}/login?token={token}")
        page = console.open("/#/rules")
        burst = page.get_by_role("region", name="Sudden high flow")
        expect(burst).to_contain_text("more water flow")
        burst.locator("summary").click()
        row = burst.get_by_role("row").filter(has_text="burst_litres_per_h")
        expect(row).to_contain_text("500 litres per hour")
        expect(row).to_contain_text("300 litres per hour")
        expect(row).to_contain_text("changed here")

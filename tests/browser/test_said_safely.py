"""What alerts and names say is shown as it is: markup as text, missing as missing, many sensors as many."""

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Evidence, Rule, Severity
from services.domain.sensor import Sensor
from tests.api_server import register, say
from tests.browser.conftest import Console, calm

pytestmark = pytest.mark.browser

XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_names_and_comments_with_markup_are_text(console: Console) -> None:
    sensor = Sensor("X-1", SensorKind.WATER_METER, name=XSS[:100], zone="Zone <b>")
    register(console.api.database_url, [sensor])
    alert = say(
        console.api.database_url, subject="X-1", sentence=f"Sentence {XSS} \u202e right to left"
    )
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    expect(view.get_by_text("Sentence <img src=x").first).to_be_visible()
    view.get_by_role("button", name="Comment").click()
    view.get_by_label("Your comment").fill(XSS)
    view.locator("form").get_by_role("button", name="Comment").click()
    expect(view.locator(".log .said").last).to_have_text(XSS)
    page.get_by_role("combobox", name="Find a sensor").fill("X-1")
    found = page.locator("#search-results [role=option]")  # the sensor and its alert
    expect(found).to_contain_text(["<img src=x", "<img src=x"])
    calm(page)
    assert page.locator("#view img, #cards img, .results img, main script").count() == 0
    assert "owned" not in page.title()


def test_a_silent_feed_stands_in_the_queue_without_a_sensor(console: Console) -> None:
    numbers = {"silent_sensors_1": 812.0, "sensors_1": 1000.0}
    evidence = Evidence("observed_at", "s", 93600.0, 86400.0, None, 93600.0, 0, 0.81, numbers)
    given = {"rule": Rule.FEED_SILENT, "severity": Severity.CRITICAL, "evidence": evidence}
    alert = say(console.api.database_url, subject="feed/water", **given)
    say(console.api.database_url, subject="gateway/GW 7", **given)
    page = console.open()
    expect(page.locator(".card")).to_have_count(2)
    expect(page.locator(f'.card[data-id="{alert.id}"]')).to_contain_text("All water sensors")
    expect(page.locator("#cards")).to_contain_text("Gateway GW 7")
    page.locator(f'.card[data-id="{alert.id}"] a').click()
    expect(page.locator("#view h2")).to_have_text("Readings no longer come")
    expect(page.locator(".facts")).to_contain_text("812 of 1,000")
    expect(page.locator(".facts")).to_contain_text("All water sensors")
    expect(page.locator('.facts a[href*="sensor"]')).to_have_count(0)
    expect(page.locator("#view")).to_contain_text("no single series to draw")


def test_no_number_is_no_zero(console: Console) -> None:
    evidence = Evidence("flow_litres_per_h", "L/h", None, None, None, 3600.0, 0, 1.0)
    alert = say(console.api.database_url, rule=Rule.SILENT, evidence=evidence)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view h2")).to_have_text("Sensor is silent")
    expect(page.locator(".facts")).not_to_contain_text("Measured")

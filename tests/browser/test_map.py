"""The map: every sensor by its state, found by eye, by click and by list, without anything from elsewhere."""

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Rule, Severity
from services.domain.sensor import Sensor
from tests.api_server import METER, register, say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser


def town(api_url: str) -> None:
    """A zone of nine meters, one of them with a burst and one silent, and a road of three stations."""
    meters = [
        Sensor(f"M-{n}", SensorKind.WATER_METER, lon=-0.38 + n % 3 / 200, lat=39.47 + n // 3 / 200, zone="Zone 3")
        for n in range(9)
    ]  # fmt: skip
    stations = [
        Sensor(f"T-{n}", SensorKind.TRAFFIC_STATION, lon=-0.36 + n / 200, lat=39.46, road="A-4", position_m=500.0 * n)
        for n in range(3)
    ]  # fmt: skip
    nowhere = Sensor("M-99", SensorKind.WATER_METER, name="No place known")
    register(api_url, [*meters, *stations, nowhere])


def test_the_map_shows_sensors_by_state_and_its_list_says_the_same(console: Console) -> None:
    api = console.api
    town(api.database_url)
    burst = say(api.database_url, subject="M-4")
    say(api.database_url, subject="M-8", rule=Rule.SILENT, severity=Severity.WARNING)
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    page = console.open("/#/map")
    legend = page.get_by_role("group", name="Which sensors to show")
    expect(legend.locator("label").filter(has_text="Critical")).to_contain_text("1")
    expect(legend.locator("label").filter(has_text="trouble")).to_contain_text("1")
    expect(legend.locator("label").filter(has_text="Nothing to report")).to_contain_text("11")
    rows = page.locator(".map-list li")
    expect(rows.first).to_contain_text("M-4")
    expect(rows.nth(1)).to_contain_text("M-8")
    expect(page.locator(".map-list")).to_contain_text("No place known")
    expect(page.locator(".map-name", has_text="Zone 3")).to_be_visible()
    assert all(url.startswith((api.url, "data:")) for url in asked)

    legend.get_by_label("Nothing to report").uncheck()
    expect(rows).to_have_count(2)
    console.stands_at("show=critical")
    console.reload()
    expect(rows).to_have_count(2)

    expect(rows.first.locator("a")).to_have_attribute("href", f"#/alert/{burst.id}")
    say(api.database_url, subject="T-1", rule=Rule.INCIDENT)
    expect(rows).to_have_count(3)


def test_a_click_on_the_map_opens_what_is_there(console: Console) -> None:
    only = Sensor("M-17", SensorKind.WATER_METER, lon=-0.3763, lat=39.4699)
    register(console.api.database_url, [only])
    page = console.open("/#/map?at=39.4699,-0.3763,14")
    expect(page.locator(".map-list li")).to_have_count(1)
    page.locator("#map").click()
    expect(page.get_by_role("heading", name="M-17")).to_be_visible()
    console.stands_at("/#/sensor/M-17")


def test_a_register_without_sensors_leads_to_the_first_one(console: Console) -> None:
    page = console.open("/#/map")
    expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()


def test_the_map_is_one_answer_that_is_sent_once(console: Console) -> None:
    api = console.api
    town(api.database_url)
    request = console.context.request
    first = request.get(f"{api.url}/v1/map")
    document = first.json()
    assert len(document["id"]) == len(document["zone"]) == 13
    assert document["zones"][document["zone"][document["id"].index("M-4")]] == "Zone 3"
    assert document["roads"] == [["A-4", None]]
    assert document["lon"][document["id"].index("M-99")] is None
    again = {"If-None-Match": first.headers["etag"]}
    assert request.get(f"{api.url}/v1/map", headers=again).status == 304
    register(api.database_url, [METER])
    assert len(request.get(f"{api.url}/v1/map", headers=again).json()["id"]) == 14

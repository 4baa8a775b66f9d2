"""Roads by time and distance, and zones by what flows in and what is metered."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Evidence, Rule, Severity
from services.domain.sensor import Sensor
from tests.api_server import register, say, store
from tests.browser.conftest import Console, calm

pytestmark = pytest.mark.browser

END = datetime(2026, 10, 8, 20, tzinfo=UTC)
JAM = END - timedelta(hours=3)


def test_a_corridor_shows_where_and_when_it_jams(console: Console) -> None:
    url = console.api.database_url
    stations = [
        Sensor(
            f"A4.{n}", SensorKind.TRAFFIC_STATION, name=f"Kilometre {n}", road="A-4", direction="N",
            position_m=1000.0 * n, cadence_s=300.0, time_zone="Europe/Madrid",
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    numbers = register(url, stations)
    times = [END - timedelta(minutes=5 * k) for k in reversed(range(24 * 12))]
    for station in stations:
        slow = station.id == "A4.2"
        jam = [slow and JAM <= time < JAM + timedelta(hours=1) for time in times]
        speeds = [30.0 if each else 100.0 for each in jam]
        flows = [900.0] * len(times)
        number = numbers[station.id]
        store(url, station, number, times, speed_km_per_h=speeds, flow_veh_per_h=flows)
    seen = Evidence("speed_km_per_h", "km/h", 30.0, 64.0, 100.0, 300.0, 10, 0.0)
    alert = say(
        url, subject="A4.2", rule=Rule.CONGESTION, severity=Severity.WARNING, onset=JAM, evidence=seen
    )  # fmt: skip
    page = console.open("/#/corridors")
    expect(page.locator("tbody tr")).to_contain_text("A-4 N")
    expect(page.locator("tbody tr")).to_contain_text("Warning")
    page.locator("tbody a").click()
    expect(page.locator("#page h1")).to_have_text("A-4 N")
    expect(page.get_by_role("img", name="Speeds of 3 stations")).to_be_visible()
    expect(page.get_by_role("row", name="Kilometre 2 and Kilometre 3")).to_contain_text(
        "60 minutes"
    )
    expect(page.locator(f'a[href="#/alert/{alert.id}"]')).to_contain_text("Traffic is jammed")
    page.get_by_text("Show as table").first.click()
    row = page.locator(".as-table tbody tr").filter(has_text="19:00")
    expect(row.locator("td")).to_have_text(["100", "30", "100"])
    page.get_by_text("Show as table").last.click()
    times = page.get_by_role("region", name="Readings as a table")
    expect(times.get_by_role("row")).to_have_count(1 + 24 * 4 + 1)
    calm(page)
    page.locator(".contour canvas").hover(position={"x": 300, "y": 40})
    expect(page.get_by_role("status").filter(has_text="km/h")).to_contain_text("Kilometre 2")
    page.get_by_role("button", name="Earlier").click()
    expect(page.get_by_role("button", name="Later")).to_be_enabled()
    console.stands_at("to=2026-10-07")
    console.reload()
    expect(page.get_by_role("button", name="Later")).to_be_enabled()


def test_a_zone_says_what_is_lost(console: Console) -> None:
    url = console.api.database_url
    begin = datetime(2026, 10, 1, 22, tzinfo=UTC)  # midnight in Madrid
    facts = {"zone": "North", "cadence_s": 3600.0, "time_zone": "Europe/Madrid"}
    inlet = Sensor("N.IN", SensorKind.DMA_INLET, **facts)  # type: ignore[arg-type]
    meter = Sensor("N.1", SensorKind.WATER_METER, **facts)  # type: ignore[arg-type]
    numbers = register(url, [inlet, meter])
    times = [begin + timedelta(hours=hour) for hour in range(24 * 6 + 1)]
    for sensor, litres in ((inlet, 100.0), (meter, 75.0)):
        total = [litres * hour for hour in range(len(times))]
        store(url, sensor, numbers[sensor.id], times, register_litres=total)
    page = console.open("/#/zone/North?span=week")
    expect(page.locator(".tile").filter(has_text="Not accounted for")).to_contain_text(
        "25% of the inflow"
    )
    expect(page.locator(".tile").filter(has_text="The same a day")).to_contain_text("600 litres")
    expect(page.locator(".tile").filter(has_text="Last night flow")).to_contain_text(
        "100 litres per hour"
    )
    row = page.get_by_role("row", name="4 Oct", exact=False)
    expect(row.locator("td")).to_have_text(["2,400", "1,800", "600", "100", "100%"])

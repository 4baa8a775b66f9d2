"""The console in the reader's language, and its keys."""

import pytest
from playwright.sync_api import expect

from tests.api_server import say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser


def test_language_units_and_times_are_the_readers_choice(console: Console) -> None:
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator(".facts")).to_contain_text("1,840 litres per hour")
    page.get_by_role("button", name="Language and units").click()
    page.get_by_label("Language", exact=True).select_option(label="Español")
    page.get_by_label("Water").select_option(label="Cubic metres")
    page.get_by_role("button", name="Use these").click()
    expect(page.locator("html[data-ready]")).to_have_attribute("lang", "es")
    expect(page.locator("#view h2")).to_have_text("Caudal alto repentino: posible rotura")
    expect(page.locator(".facts")).to_contain_text("1,84 m³ por hora")
    expect(page.locator("#view")).to_contain_text("en inglés")
    expect(page.locator("#view .lead")).to_have_attribute("lang", "en")


def test_the_browsers_language_is_taken_first(console: Console) -> None:
    page = console.page
    page.add_init_script(
        "Object.defineProperty(navigator, 'languages', {get: () => ['es-MX', 'en']})"
    )
    console.open()
    expect(page.get_by_role("link", name="Sensores")).to_be_visible()
    expect(page.get_by_text("Todo en calma")).to_be_visible()


def test_keys_lead_everywhere_unless_they_are_switched_off(console: Console) -> None:
    page = console.open()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to Sensors")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.type("gs")
    expect(page.locator("#page h1")).to_have_text("Sensors")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Find a sensor")).to_be_focused()
    page.evaluate("localStorage.setItem('citygauge preferences', JSON.stringify({keys: 'off'}))")
    console.reload()
    expect(page.locator("#page h1")).to_have_text("Sensors")
    page.keyboard.press("?")
    page.keyboard.press("Tab")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_first_start_leads_to_the_first_reading(console: Console) -> None:
    page = console.open()
    expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()
    expect(page.locator(".start li")).to_have_count(3)
    expect(page.locator(".start")).to_contain_text("citygauge simulate city")
    expect(page.locator(".start")).to_contain_text("citygauge/v1/water/M-17/reading")

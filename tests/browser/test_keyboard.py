"""The keyboard alone: reaches every control of every page, and does what a pointer does."""

from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from services.domain.condition import Change, Rule
from tests.api_server import METER, STATION, register, say
from tests.browser.conftest import Console, arrive, calm
from tests.browser.history import NOW, ONSET
from tests.browser.town import town

pytestmark = pytest.mark.browser

CONTROLS: Final = """() => [...document.querySelectorAll(
    'main a[href], main button, main input, main select, main textarea, main summary, main [tabindex="0"]')]
  .filter((each) => each.checkVisibility() && !each.disabled && each.type !== 'radio')
  .map((each) => { each.dataset.reached ??= 'no'; return each; }).length"""
REACHED: Final = """() => {
  const at = document.activeElement;
  const seen = [null, '::after'].some((part) => getComputedStyle(at, part).outlineStyle !== 'none');
  if (at.dataset.reached) at.dataset.reached = seen ? 'yes' : 'unseen';
  return Boolean(at.closest('main'));
}"""
MISSED: Final = """() => [...document.querySelectorAll('[data-reached]:not([data-reached=yes])')]
  .map((each) => `${each.dataset.reached}: ${each.outerHTML.slice(0, 120)}`)"""


def test_the_keyboard_alone_opens_an_alert(console: Console) -> None:
    say(console.api.database_url)
    page = console.open()
    expect(page.locator(".card")).to_be_visible()
    page.locator("body").press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(24):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.part") == "open":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#view h2")).to_be_focused()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("(each) => each === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


@pytest.mark.timeout(900)  # every control of every page, one key after the other
def test_tab_reaches_every_control_of_every_page_and_shows_where_it_is(console: Console) -> None:
    addresses = town(console)
    page = console.open()
    missed = {}
    for address in addresses:
        page.evaluate("(hash) => { location.hash = hash; }", address)
        arrive(page, address)
        assert page.evaluate(CONTROLS) or address == "#/performance", address
        page.locator("main").focus()
        page.keyboard.press("Tab")
        while page.evaluate(REACHED):
            page.keyboard.press("Tab")
        missed[address] = page.evaluate(MISSED)
    assert not {address: each for address, each in missed.items() if each}


def test_windows_hold_the_focus_and_give_it_back(console: Console) -> None:
    say(console.api.database_url)
    page = console.open()
    inside = "Boolean(document.activeElement.closest('dialog')) || document.activeElement === document.body"
    page.locator("main").focus()
    tab_to(page, page.get_by_role("checkbox", name="Choose:"))
    page.keyboard.press("Space")
    openers = [
        page.get_by_role("button", name=name) for name in ("Language and units", "Keyboard help")
    ]
    for opener in [*openers, page.locator("#bulk").get_by_role("button", name="Close the case")]:
        page.locator("body").press("Tab")
        tab_to(page, opener)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        for _ in range(12):
            assert page.evaluate(inside), "the focus left the window"
            page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
    page.set_viewport_size({"width": 360, "height": 740})
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Now")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()


def test_what_comes_live_takes_no_focus_away(console: Console) -> None:
    url = console.api.database_url
    register(url, [METER, STATION])
    say(url)
    page = console.open("/#/map")
    box = page.get_by_role("checkbox", name="Nothing to report")
    box.focus()
    say(url, subject=STATION.id, rule=Rule.INCIDENT, onset=ONSET)
    expect(page.locator(".map-list")).to_contain_text("Sudden jam")
    expect(box).to_be_focused()
    row = page.locator(".map-list a").filter(has_text="14 Mill Street")
    row.focus()
    say(url, subject=STATION.id, rule=Rule.INCIDENT, change=Change.CLEAR, onset=ONSET, at=NOW)
    expect(page.locator(".map-list")).not_to_contain_text("Sudden jam")
    expect(row).to_be_focused()


def test_what_to_expect_is_said_and_ended_without_a_pointer(console: Console) -> None:
    register(console.api.database_url, [METER])
    page = console.open("/#/expect?add=yes")
    form = page.get_by_role("form", name="Say what to expect")
    page.locator("main").focus()
    tab_to(page, form.get_by_role("textbox", name="Sensors, by id"))
    page.keyboard.type(METER.id)
    tab_to(page, form.get_by_role("textbox", name="Why?"))
    page.keyboard.type("Flushing")
    tab_to(page, form.get_by_role("button", name="Say what to expect"))
    page.keyboard.press("Enter")
    card = page.get_by_role("region", name="Flushing")
    expect(card).to_contain_text("Holds now")
    calm(page)
    page.locator("main").focus()
    tab_to(page, card.get_by_role("button", name="End it now"))
    page.keyboard.press("Enter")
    ending = page.get_by_role("form", name="End it now")
    expect(ending).to_be_visible()
    tab_to(page, ending.get_by_role("button", name="End it now"))
    page.keyboard.press("Enter")
    expect(page.locator("#page")).to_contain_text("What is still there is told now.")


def test_other_values_are_tried_without_a_pointer(console: Console) -> None:
    page = console.open("/#/rule/burst")
    page.locator("main").focus()
    limit = page.get_by_role("spinbutton").first
    tab_to(page, limit)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Change at least one value first.")

"""For everyone: axe finds nothing on any page, full, empty or failed; no page is wider than a phone."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as TooLate

from services.domain.sentences.language import LANGUAGES
from tests.browser.conftest import Console, arrive
from tests.browser.history import REFUSED
from tests.browser.town import town

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
LOOK = """async () => {
  const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
  const rules = {region: {enabled: false}};
  const { violations } = await axe.run(document, {runOnly, rules, resultTypes: ['violations']});
  return violations.flatMap((each) => each.nodes.slice(0, 3).map((node) => `${each.id}: ${node.html.slice(0, 160)}`));
}"""
"""Landmarks are judged by our own outline: a skip link, one main, a named navigation."""

PAGES: Final = (
    "#/", "#/map", "#/corridors", "#/corridor/A-1", "#/zones", "#/zone/North", "#/sensors", "#/sensor/M-1",
    "#/quality", "#/quality?tab=days", "#/quality?tab=rejected", "#/performance", "#/rules", "#/rule/burst",
    "#/expect", "#/messages",
)  # fmt: skip
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
OTHER: Final = {"light": "dark", "dark": "light"}


def look(page: Page, scheme: str) -> list[str]:
    """What axe finds on the page as it stands, in a scheme of colours."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    found: list[str] = page.evaluate(LOOK)
    return found


def turn(page: Page, address: str) -> None:
    """Go to a page of the console without loading it anew."""
    page.evaluate("(hash) => { location.hash = hash; }", address)
    arrive(page, address)


@pytest.mark.timeout(900)  # every page, looked at by axe; the machine that runs it may be slow
@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("es", "dark")])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    console: Console, language: str, scheme: str
) -> None:
    addresses = town(console)
    page = console.page
    chosen = (
        f"localStorage.setItem('citygauge preferences', JSON.stringify({{language: '{language}'}}))"
    )
    page.add_init_script(chosen)
    console.open()
    page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for address in addresses:
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        turn(page, address)
        found[address] = look(page, scheme)
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        try:
            page.wait_for_function("() => document.documentElement.scrollWidth <= 360")
        except TooLate:
            found[address].append("wider than a phone of 360 pixels")
        found[f"{address} on a phone"] = look(page, OTHER[scheme])
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    words = LANGUAGES[language].console
    for button in ("settings", "help"):
        page.get_by_role("button", name=words["nav"][button]).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found[button] = look(page, scheme)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    turn(page, addresses[1])
    page.locator("#view .acts button").nth(3).click()
    found["a form"] = look(page, scheme)
    turn(page, "#/")
    page.get_by_role("checkbox").first.check()
    page.locator("#bulk button").nth(3).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found["a form for several"] = look(page, scheme)
    for path, there in (("/login", "button[type=submit]:enabled"), ("/docs", "details.op")):
        page.goto(console.api.url + path)
        page.locator(there).first.wait_for()
        page.evaluate(AXE)
        found[path] = look(page, scheme)
    assert not {each: wrong for each, wrong in found.items() if wrong}


def test_axe_finds_nothing_where_there_is_nothing_and_where_all_fails(console: Console) -> None:
    console.expected = (REFUSED, "ERR_FAILED")
    page = console.open()
    page.evaluate(AXE)
    found = {}
    for address in PAGES:
        turn(page, address)
        found[f"{address}, empty"] = look(page, "light")
    page.route("**/v1/*", lambda route: route.fulfill(status=500, body="{}"))
    page.route("**/v1/*/**", lambda route: route.fulfill(status=500, body="{}"))
    for address in PAGES[1:]:
        turn(page, address)
        said = page.locator("main").inner_text()
        if "Something went wrong" not in said and "does not exist" not in said:
            found[f"{address} does not say that it failed"] = [said[:200]]
        found[f"{address}, failed"] = look(page, "dark")
    assert not {each: wrong for each, wrong in found.items() if wrong}

"""A wall of 4K: everything is drawn larger, columns fill the width, charts and maps are as sharp as at a desk."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.api_server import METER, register, say
from tests.browser.conftest import Console
from tests.browser.history import ONSET

pytestmark = pytest.mark.browser


def test_a_wall_is_read_from_afar(console: Console) -> None:
    register(console.api.database_url, [METER])
    for n in range(6):
        onset = ONSET - timedelta(days=n)
        say(console.api.database_url, subject=f"S-{n}", onset=onset)
    page = console.page
    page.set_viewport_size({"width": 3840, "height": 2160})
    console.open()
    cards = page.locator(".card")
    expect(cards).to_have_count(6)
    assert (
        page.locator(".card-title").first.evaluate("(each) => getComputedStyle(each).fontSize")
        == "27.2px"
    )
    places = [box for n in range(6) if (box := cards.nth(n).bounding_box())]
    assert len({box["y"] for box in places}) == 2, "four beside each other"
    assert places[-1]["y"] + places[-1]["height"] <= 2160
    cards.first.get_by_role("link").click()
    view = page.locator("#view")
    expect(view.get_by_role("heading", level=2)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 3840
    beside = view.bounding_box()
    assert beside
    assert beside["width"] > 2000


def test_who_reads_large_gets_all_of_it_larger(console: Console) -> None:
    page = console.open("/#/rules")
    before = page.locator("h1").last.evaluate(
        "(each) => parseFloat(getComputedStyle(each).fontSize)"
    )
    page.evaluate("document.documentElement.style.fontSize = '125%'")  # twice what it is set to
    after = page.locator("h1").last.evaluate(
        "(each) => parseFloat(getComputedStyle(each).fontSize)"
    )
    assert after == 2 * before
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440

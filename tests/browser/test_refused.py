"""Answers that refuse, break or never come, clocks that are wrong, and text of any kind: nothing typed is lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Route, expect

from tests.api_server import METER, new_key, register, say
from tests.browser.conftest import Console, arrive
from tests.browser.history import REFUSED

pytestmark = pytest.mark.browser

SAMPLE = "שלום 🚰 <b>عاجل</b> \u202e 漏水 ¿? 'quote' \"two\" & ; -- "
ANY = (SAMPLE * 300)[:9_750].strip()
"""Nearly ten thousand characters, as browsers count them."""
SAID = {
    429: "Too many requests at once",
    500: "Something went wrong in the service",
    503: "The database does not answer",
    None: "The service does not answer",
}
"""Status of the answer, or None where there is none, and what a reader is told."""


def answering(status: int | None) -> Callable[[Route], None]:
    """A service that answers so, or not at all."""
    return lambda route: route.fulfill(status=status, body="{}") if status else route.abort()


def test_what_was_typed_outlasts_every_refusal_and_arrives_whole(console: Console) -> None:
    console.expected = (REFUSED,)
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    page.set_viewport_size({"width": 360, "height": 740})
    view = page.locator("#view")
    view.get_by_role("button", name="Comment").click()
    typed = view.get_by_label("Your comment")
    typed.fill(ANY)
    for status, said in SAID.items():
        page.route("**/comment", answering(status))
        view.locator("form").get_by_role("button", name="Comment").click()
        expect(view.get_by_role("alert")).to_contain_text(said)
        expect(view.get_by_role("alert")).to_contain_text("What you typed is kept")
        expect(typed).to_have_value(ANY)
        page.unroute("**/comment")
    view.locator("form").get_by_role("button", name="Comment").click()
    shown = view.locator(".log .said").last
    expect(shown).to_have_attribute("dir", "auto")
    expect(shown).to_have_text(ANY)
    expect(typed).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_was_typed_outlasts_a_session_that_ended(console: Console) -> None:
    console.expected = (REFUSED,)
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    view.get_by_role("button", name="Close the case").click()
    view.get_by_label("It was real").check()
    view.get_by_label("What did you find?").fill(ANY)
    console.context.clear_cookies()
    view.locator("form").get_by_role("button", name="Close the case").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Key").fill(new_key(console.api.database_url, "operate", name="Again"))
    page.keyboard.press("Enter")
    arrive(page, f"#/alert/{alert.id}")
    expect(view.get_by_label("It was real")).to_be_checked()
    expect(view.get_by_label("What did you find?")).to_have_value(ANY)
    view.locator("form").get_by_role("button", name="Close the case").click()
    expect(view.get_by_text("Closed: it was real")).to_be_visible()


@pytest.mark.parametrize("days", [-3, 3])
def test_a_readers_wrong_clock_changes_no_time(console: Console, days: int) -> None:
    now = datetime.now(UTC)
    register(console.api.database_url, [METER])
    alert = say(console.api.database_url, onset=now - timedelta(minutes=30.5))
    console.page.clock.set_fixed_time(now + timedelta(days=days))
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator(".card .age")).to_contain_text("30 min ago")
    view = page.locator("#view")
    view.get_by_role("button", name="Hide for a while").click()
    view.get_by_label("Why?").fill("Flushing")
    view.locator("form").get_by_role("button", name="Hide for a while").click()
    expect(view.locator("ol.log")).to_contain_text("Flushing")
    expect(page.locator(".card")).to_have_count(0)
    with console.api.client(new_key(console.api.database_url, "read", name="r")) as client:
        until = client.get(f"/v1/alerts/{alert.id}").json()["shelved_until"]
    hidden_for = datetime.fromisoformat(until) - now
    assert timedelta(hours=3) < hidden_for < timedelta(hours=5)

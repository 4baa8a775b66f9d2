"""The live stream: what cannot be resumed, what came while it was away, and an outage."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from tests.api_server import say, serving
from tests.browser.conftest import PATIENCE_MS, Console, tab
from tests.browser.history import REFUSED
from tests.browser.test_everyone import AXE, look

pytestmark = pytest.mark.browser


def test_a_stream_that_cannot_go_on_where_it_was_has_the_list_loaded_again(
    console: Console,
) -> None:
    page = console.open()
    told = "retry: 600000\n\nid: 1\nevent: reset\ndata: {}\n\n"
    page.route(
        "**/v1/alerts/stream*",
        lambda route: route.fulfill(content_type="text/event-stream", body=told),
    )
    with page.expect_response("**/v1/alerts?*", timeout=PATIENCE_MS) as listed:
        page.evaluate("dispatchEvent(new Event('online'))")
    assert listed.value.ok


def test_what_was_raised_while_the_stream_was_away_is_announced_too(console: Console) -> None:
    console.expected = (REFUSED,)
    page = console.page
    page.route("**/v1/alerts/stream*", lambda route: route.abort())
    console.open()
    expect(page.get_by_text("All quiet")).to_be_visible()
    say(console.api.database_url)
    page.unroute("**/v1/alerts/stream*")
    expect(page.locator("#announcer")).to_contain_text("Critical")
    expect(page.locator(".card.fresh")).to_have_count(1)


def test_an_outage_is_shown_and_ends_by_itself(browser: Browser, database_url: str) -> None:
    with ExitStack() as stack:
        with serving(database_url, session_secret="s" * 40) as api:
            console = stack.enter_context(tab(browser, api))
            console.expected = (REFUSED,)
            console.sign_in()
            page = console.open()
            expect(page.get_by_text("All quiet")).to_be_visible()
            expect(page.locator("#pulse")).to_contain_text("Connected")
            page.evaluate(AXE)
        expect(page.locator("#banner")).to_contain_text("No connection")
        assert look(page, "light") + look(page, "dark") == []
        port = int(api.url.rpartition(":")[2])
        with serving(database_url, session_secret="s" * 40, port=port):
            say(database_url)
            expect(page.locator(".card")).to_have_count(1)
            expect(page.locator("#banner")).to_be_hidden()

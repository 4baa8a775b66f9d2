"""Signing in: with a key, and by the demo's link."""

import pytest
from playwright.sync_api import Browser, expect

from tests.api_server import new_key, serving
from tests.browser.conftest import Console, arrive, tab
from tests.browser.history import REFUSED

pytestmark = pytest.mark.browser


def test_signing_in_with_a_wrong_and_a_right_key(visitor: Console) -> None:
    visitor.expected = (REFUSED,)
    page = visitor.page
    page.goto(visitor.api.url + "/#/sensor/M-17")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Key").fill("cg_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Key").fill(f"  {new_key(visitor.api.database_url, 'operate')} ")
    page.keyboard.press("Enter")
    arrive(page, "#/sensor/M-17")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_demo_signs_in_by_its_link(browser: Browser, database_url: str) -> None:
    token = "t" * 40
    with serving(database_url, login_token=token) as api, tab(browser, api) as console:
        page = console.page
        page.goto(f"{api.url}/login?token={token}")
        expect(page.get_by_text("All quiet")).to_be_visible()
        assert token not in page.evaluate("location.href")

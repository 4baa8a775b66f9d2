"""What to expect, and messages: what is kept quiet and until when, and whether people are reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from services.api.neighbours import Neighbours
from services.cli.route_settings import routes_of
from services.domain.condition import Change
from services.store.connection import connect
from tests.api_server import METER, Api, new_key, register, say, serving
from tests.browser.conftest import Console
from tests.endpoint import Endpoint, endpoint
from tests.notifying import bodies, hook, pass_once, settings_of
from tests.notifying import say as say_plain

__all__ = ["endpoint"]
pytestmark = pytest.mark.browser


@pytest.fixture
def console_api(database_url: str, endpoint: Endpoint) -> Iterator[Api]:
    """The API with routes: one that hears, one that nobody answers."""
    settings = settings_of(hook(endpoint), hook(endpoint, "deaf", language="es"))
    endpoint.refuses = lambda request: request.path == "/deaf"
    beside = Neighbours(routes=routes_of(settings, database_url))
    with serving(database_url, neighbours=beside, stream_heartbeat_s=1) as running:
        pass_once(database_url, settings)
        say_plain(database_url, Change.RAISE)
        pass_once(database_url, settings)
        yield running


def test_works_are_planned_and_ended_and_say_what_they_keep_quiet(console: Console) -> None:
    url = console.api.database_url
    console.expected = ("status of 422",)
    register(url, [METER])
    page = console.open("/#/expect")
    expect(page.locator("#page")).to_contain_text("Nothing is expected")
    page.get_by_role("button", name="Say what to expect").click()
    form = page.get_by_role("form", name="Say what to expect")
    form.get_by_role("textbox", name="Sensors, by id").fill(METER.id)
    send = form.get_by_role("button", name="Say what to expect")
    send.click()
    expect(form.get_by_role("alert")).to_contain_text("Please say why")
    form.get_by_role("textbox", name="Why?").fill("Pump <b>7</b> is changed")
    form.get_by_role("textbox", name="Sensors, by id").fill("nobody")
    send.click()
    expect(form.get_by_role("alert")).to_contain_text("What you typed is kept")
    console.reload()
    page.get_by_role("button", name="Say what to expect").click()
    expect(form.get_by_role("textbox", name="Why?")).to_have_value("Pump <b>7</b> is changed")
    form.get_by_role("textbox", name="Sensors, by id").fill(METER.id)
    send.click()
    card = page.get_by_role("region", name="Pump <b>7</b> is changed")
    expect(card).to_contain_text("Holds now")
    expect(page.locator("#page")).to_contain_text("Added. It holds as planned.")
    now = datetime.now(UTC)
    say(url, onset=now - timedelta(minutes=1), at=now)
    console.reload()
    expect(card).to_contain_text("keeps 1 alert quiet now")
    expect(card.get_by_role("link", name="Sudden high flow")).to_be_visible()
    card.get_by_role("button", name="End it now").press("Enter")
    ending = page.get_by_role("form", name="End it now")
    expect(ending).to_contain_text("1 alert is kept quiet by it")
    ending.get_by_label("Why?").fill("Done early")
    ending.get_by_role("button", name="End it now").click()
    expect(page.locator("#page")).to_contain_text("What is still there is told now.")
    expect(card).to_have_count(0)
    page.get_by_label("Show past ones, too").check()
    expect(card).to_contain_text("Over")
    with connect(url, "test", autocommit=True) as conn:
        held = conn.execute("SELECT subject FROM alert WHERE suppressed_by IS NOT NULL").fetchall()
    assert not held


def test_who_may_only_read_looks_and_changes_nothing(visitor: Console) -> None:
    api = visitor.api
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with api.client(new_key(api.database_url, "operate")) as ana:
        body = {"domain": "water", "reason": "Flushing", "ends_at": until}
        ana.post("/v1/exemptions", json=body).raise_for_status()
    secret = new_key(api.database_url, "read", name="Reader")
    assert visitor.context.request.post(f"{api.url}/v1/session", data={"key": secret}).ok
    page = visitor.open("/#/expect")
    expect(page.get_by_role("region", name="Flushing")).to_contain_text("Water")
    expect(page.locator("#page")).to_contain_text("Your key may look here")
    expect(page.locator("#page button")).to_have_count(0)
    visitor.open("/#/messages")
    expect(page.get_by_role("row", name="hook").first).to_contain_text("Takes a key")


def test_messages_say_who_is_reached_and_a_test_is_real(
    console: Console, endpoint: Endpoint
) -> None:
    console.expected = ("status of 503",)
    page = console.open("/#/messages")
    routes = page.get_by_role("table", name="Routes")
    good = routes.get_by_role("row").filter(
        has=page.get_by_role("rowheader", name=re.compile("^hook"))
    )
    deaf = routes.get_by_role("row").filter(has=page.get_by_role("rowheader", name="deaf"))
    expect(good).to_contain_text("Messages arrive")
    expect(deaf).to_contain_text("Not taken just now")
    expect(deaf).to_contain_text("400")
    before = len(bodies(endpoint))
    page.get_by_role("button", name="Send a test by hook").press("Enter")
    expect(good.get_by_role("status")).to_contain_text("It was taken")
    [trial] = bodies(endpoint)[before:]
    assert trial["test"] is True
    page.get_by_role("button", name="Send a test by deaf").click()
    expect(deaf.get_by_role("status")).to_contain_text("It was not taken: ")
    told = page.get_by_role("table", name="What was told")
    expect(told.locator("tbody tr")).to_have_count(2)
    page.get_by_label("State").select_option(label="Waiting")
    expect(told.locator("tbody tr")).to_have_count(1)
    told.get_by_text("1 failed").click()
    expect(told.locator("details li")).to_contain_text("400")
    page.get_by_label("State").select_option(label="Given up")
    expect(page.locator("#page")).to_contain_text("Nothing was told")
    console.reload()
    expect(page.get_by_label("State")).to_have_value("given_up")


def test_messages_of_one_alert_are_a_link_away(console: Console) -> None:
    url = console.api.database_url
    with connect(url, "test", autocommit=True) as conn:
        (alert,) = conn.execute("SELECT id::text FROM alert").fetchone() or ("",)
    page = console.open(f"/#/alert/{alert}")
    page.get_by_role("link", name="Who was told").click()
    expect(page.get_by_role("table", name="What was told").locator("tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="Only of this alert")).to_be_visible()

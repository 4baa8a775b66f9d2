"""Data quality: the books balance on the screen, each sensor's days, and what was rejected with its bytes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from services.api.neighbours import Neighbours
from services.cli.beside_api import replay_with
from services.domain.rejection import Rejection, RejectReason
from services.ingest.settings import IngestSettings
from services.store import accounting, rejected
from services.store.accounting import Counts
from services.store.connection import connect, transaction
from tests.api_server import METER, register, serving, store
from tests.browser.conftest import Console, tab
from tests.browser.test_everyone import AXE, LOOK

pytestmark = pytest.mark.browser

BYTES = b'{"time": "2026-09-24T02:10:00Z", "values": {"flow": "<b>\xff"}}'


def test_the_books_are_shown_and_balance(console: Console) -> None:
    with connect(console.api.database_url, "test", autocommit=True) as conn, transaction(conn):
        counts = Counts(received=1020, messages=40, stored=1000, duplicate=13, rejected=7, late=4)
        accounting.add(conn, "ingest-1", counts)
        accounting.heartbeat(conn, "ingest-1", 0)
    page = console.open("/#/quality")
    expect(page.locator(".sum")).to_have_text(
        "1,020 received = 1,000 stored + 13 duplicates + 7 rejected + 0 on their way"
    )
    expect(page.get_by_text("The books balance")).to_be_visible()
    expect(page.get_by_role("cell", name="ingest-1")).to_be_visible()


def test_a_day_without_readings_is_seen_and_read(console: Console) -> None:
    number = register(console.api.database_url, [METER])[METER.id]
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)  # in Madrid; its next day has 25 hours
    times = [midnight + timedelta(hours=hour) for hour in (*range(25), *range(49, 60))]
    register(console.api.database_url, [replace(METER, cadence_s=3600.0)])
    store(console.api.database_url, METER, number, times, flow_litres_per_h=[5.0] * len(times))
    asked = console.context.request.get(f"{console.api.url}/v1/quality/days?days=4").json()
    assert asked["days"] == ["2026-10-24", "2026-10-25", "2026-10-26", "2026-10-27"]
    (item,) = asked["items"]
    assert item["expected"] == [None, 25, 24, 10]
    assert item["received"] == [0, 25, 0, 11]
    page = console.open("/#/quality?tab=days&days=14")
    row = page.locator(".heat tbody tr")
    expect(row).to_contain_text("14 Mill Street")
    expect(row.locator("td.l5")).to_have_count(1)
    expect(row.locator("td.l0")).to_have_count(2)
    row.locator("td.l5").hover()
    expect(page.get_by_role("status").filter(has_text="0 came, 24 were due")).to_be_visible()


def test_a_rejected_message_is_found_with_its_reason_and_its_bytes(console: Console) -> None:
    with connect(console.api.database_url, "test", autocommit=True) as conn, transaction(conn):
        bad = Rejection(RejectReason.NOT_UTF8, "byte 60 is no UTF-8", "water/M-17", BYTES)
        late = Rejection(RejectReason.TIME_TOO_OLD, "1970 is before 2000", "t", b"{}", "M-17")
        rejected.add(conn, [bad, late], datetime.now(UTC))
    page = console.open("/#/quality?tab=rejected")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Reason").select_option(label="Not readable as text")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").click()
    expect(page.get_by_role("heading", name="Not readable as text")).to_be_visible()
    expect(page.get_by_text("Its bytes are not text")).to_be_visible()
    expect(page.locator(".raw")).to_contain_text("3c 62 3e ff 22")
    expect(page.locator(".command")).to_contain_text("citygauge rejected replay")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_rejected_messages_are_read_again_after_the_fix_or_put_aside(
    browser: Browser, database_url: str
) -> None:
    topic = f"citygauge/v1/water/{METER.id}/reading"
    body = b'{"time":"2026-01-02T03:0%d:00Z","values":{"flow":5},"units":{"flow":"L/h"}}'
    unknown = RejectReason.UNKNOWN_SENSOR
    bad = [Rejection(unknown, "not registered", topic, body % n, METER.id) for n in (1, 2)]
    bad.append(Rejection(unknown, "not registered", topic, b"{oops", METER.id))
    with connect(database_url, "test", autocommit=True) as conn, transaction(conn):
        rejected.add(conn, bad, datetime.now(UTC))
        accounting.add(conn, "ingest-1", Counts(received=3, messages=3, rejected=3))
    beside = Neighbours(replay=replay_with(IngestSettings()))
    with serving(database_url, neighbours=beside) as api, tab(browser, api) as console:
        console.sign_in()
        page = console.open("/#/quality?tab=rejected")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(3)
        every = page.get_by_role("button", name="Read all of these again")
        expect(every).to_be_hidden()
        page.get_by_label("Reason").select_option(label="A sensor that nobody registered")
        register(database_url, [METER])
        every.click()
        window = page.get_by_role("dialog", name="Read again?")
        window.get_by_role("button", name="Read again").click()
        told = page.get_by_role("status").filter(has_text="read again")
        expect(told).to_have_text(
            "2 messages read again: 2 readings stored, 0 were there already. "
            "1 is still rejected: Not readable as JSON (1)."
        )
        expect(window).to_have_count(0)
        expect(page.get_by_text("Nothing here")).to_be_visible()
        page.get_by_label("Reason").select_option(label="Not readable as JSON")
        expect(rows).to_have_count(1)
        rows.get_by_role("link").click()
        page.get_by_role("button", name="Put aside").click()
        window = page.get_by_role("dialog", name="Put aside?")
        page.evaluate(AXE)
        assert not page.evaluate(LOOK)
        window.get_by_role("button", name="Put aside").click()
        expect(page.get_by_text("1 message put aside.")).to_be_visible()
        expect(page.locator(".facts")).to_contain_text("Put aside, by Ana Torres")
        expect(page.get_by_role("button", name="Read again")).to_have_count(0)

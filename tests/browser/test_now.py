"""Now: what needs a person, in order, without moving what is about to be clicked; several at once, and by keyboard."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Rule, Severity
from services.domain.sensor import Sensor
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from tests.api_server import METER, new_key, register, say, store
from tests.browser.conftest import Console, arrive
from tests.browser.history import NOW, ONSET, REFUSED, with_history

pytestmark = pytest.mark.browser


def several(url: str, count: int, **facts: object) -> list[str]:
    """So many alerts of unplaced sensors, the newest last; their ids."""
    return [
        str(say(url, subject=f"S-{n}", onset=ONSET + timedelta(minutes=n), **facts).id)  # type: ignore[arg-type]
        for n in range(count)
    ]


def order(page: Page) -> list[str]:
    """Ids of the cards from top to bottom."""
    return page.locator(".card").evaluate_all("cards => cards.map((card) => card.dataset.id)")


def test_what_arrives_does_not_move_what_is_pointed_at(console: Console) -> None:
    url = console.api.database_url
    first, second = several(url, 2, severity=Severity.WARNING)
    page = console.open()
    expect(page.locator(".card")).to_have_count(2)
    card = page.locator(f'.card[data-id="{first}"]')
    card.hover()
    place = card.bounding_box()
    third = str(say(url, subject="S-9", severity=Severity.CRITICAL, onset=NOW).id)
    fresh = page.get_by_role("button", name="1 new alert. Show it")
    expect(fresh).to_be_visible()
    assert order(page) == [second, first]
    assert card.bounding_box() == place
    expect(page).to_have_title("(3) Citygauge")
    fresh.click()
    expect(page.locator(".card")).to_have_count(3)
    assert order(page) == [third, second, first]
    page.locator(f'.card[data-id="{first}"]').hover()
    say(url, subject="S-1", change=Change.CLEAR, onset=ONSET + timedelta(minutes=1), at=NOW)
    expect(page.locator(f'.card[data-id="{second}"]')).to_contain_text("Over, nobody looked at it")
    assert order(page) == [third, second, first]
    page.mouse.move(1200, 20)
    expect(page.locator(".card").last).to_have_attribute("data-id", second)


def test_several_are_chosen_and_closed_at_once_and_one_refusal_keeps_no_other_back(
    console: Console,
) -> None:
    console.expected = (REFUSED,)
    api = console.api
    ids = several(api.database_url, 3)
    console.page.route("**/v1/alerts/stream*", lambda route: route.abort())
    page = console.open()
    boxes = page.get_by_role("checkbox", name="Choose:")
    expect(boxes).to_have_count(3)
    for n in range(3):
        boxes.nth(n).check()
    bar = page.get_by_role("group", name="With the chosen alerts")
    expect(bar).to_contain_text("3 chosen")
    with api.client(new_key(api.database_url, "operate", name="Colleague")) as client:
        assert client.post(f"/v1/alerts/{ids[0]}/comment", json={"comment": "mine"}).is_success
    bar.get_by_role("button", name="Close the case").click()
    window = page.get_by_role("dialog")
    window.get_by_role("button", name="Close the case").click()
    expect(window.get_by_role("alert")).to_contain_text("choose how it ended")
    window.get_by_label("Somebody used it on purpose").check()
    window.get_by_role("button", name="Close the case").click()
    expect(window.get_by_role("alert")).to_contain_text("1 was refused")
    expect(window.get_by_role("alert")).to_contain_text("A colleague changed this")
    window.get_by_role("button", name="Close the case").click()
    expect(page.get_by_text("All quiet")).to_be_visible()
    expect(bar).to_be_hidden()
    with connect(api.database_url, "test") as connection:
        assert not [each for each in AlertRepository(connection).open_alerts() if each.open]


def test_the_keyboard_alone_works_through_the_list(console: Console) -> None:
    ids = several(console.api.database_url, 3)
    page = console.open()
    expect(page.locator(".card")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator(f'.card[data-id="{ids[2]}"] [data-part="open"]')).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(f'.card[data-id="{ids[1]}"]')).to_contain_text("With Ana Torres")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("#bulk")).to_contain_text("2 chosen")
    page.keyboard.press("x")
    expect(page.locator("#bulk")).to_contain_text("1 chosen")
    page.keyboard.press("o")
    arrive(page, f"#/alert/{ids[2]}")
    expect(page.locator("#view h2")).to_be_visible()


def test_what_the_service_refuses_goes_back_with_the_reason(console: Console) -> None:
    console.expected = (REFUSED,)
    several(console.api.database_url, 1)
    page = console.open()
    page.route("**/acknowledge", lambda route: route.fulfill(status=500, body="{}"))
    page.get_by_role("button", name="Acknowledge").click()
    card = page.locator(".card")
    expect(card.get_by_role("alert")).to_contain_text("Something went wrong in the service")
    expect(card).to_contain_text("Nobody has it yet")
    page.unroute("**/acknowledge")
    page.get_by_role("button", name="Acknowledge").click()
    expect(card).to_contain_text("With Ana Torres")
    expect(card.get_by_role("alert")).to_have_count(0)


def test_a_flood_of_alike_alerts_is_one_entry(console: Console) -> None:
    url = console.api.database_url
    meters = [Sensor(f"M-{n}", SensorKind.WATER_METER, zone="Zone 7") for n in range(12)]
    register(url, meters)
    for meter in meters:
        say(url, subject=meter.id, rule=Rule.SILENT, severity=Severity.WARNING, onset=ONSET)
    page = console.open()
    expect(page.get_by_role("button", name="and 11 more like this here")).to_be_visible()
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator("#badge")).to_have_text("1")
    with page.expect_response("**/v1/alerts/changes"):  # the card says so at once, in hope
        page.get_by_role("button", name="Acknowledge all 12").click()
    expect(page.locator(".card")).to_contain_text("With Ana Torres")
    with connect(url, "test") as connection:
        assert all(each.acknowledged_by for each in AlertRepository(connection).open_alerts())


def test_a_meter_that_reads_less_often_than_there_is_room_has_a_line_and_its_gap(
    console: Console,
) -> None:
    api = console.api
    number = register(api.database_url, [METER])[METER.id]
    quarters = [NOW - timedelta(minutes=15 * n) for n in range(40) if n not in range(6, 9)]
    store(
        api.database_url, METER, number, quarters, flow_litres_per_h=[40.0 + n for n in range(37)]
    )
    say(api.database_url, onset=ONSET)
    page = console.open()
    drawn = page.locator(".card .spark canvas")
    expect(drawn).to_be_visible()
    columns = drawn.evaluate(
        """(canvas) => {
          const probe = document.createElement("span");
          probe.style.color = getComputedStyle(document.documentElement).getPropertyValue("--accent");
          document.body.append(probe);
          const line = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number);
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const has = (x, y) => [0, 1, 2].every((c) => Math.abs(data[4 * (y * width + x) + c] - line[c]) < 12)
            && data[4 * (y * width + x) + 3] > 200;
          return [...Array(width).keys()].map((x) => [...Array(height).keys()].some((y) => has(x, y)));
        }"""
    )
    share = sum(columns) / len(columns)
    assert 0.5 < share < 0.9, "a line, but none where no reading came"


def test_the_alert_says_the_first_step_who_has_it_and_what_was_before(console: Console) -> None:
    api = console.api
    with_history(api)
    near = [
        Sensor(f"N-{n}", SensorKind.WATER_METER, zone="Zone 3", lon=-0.37, lat=39.47)
        for n in range(2)
    ]
    register(api.database_url, near)
    long_ago = ONSET - timedelta(days=2)
    before = say(api.database_url, onset=long_ago)
    say(api.database_url, change=Change.CLEAR, onset=long_ago, at=long_ago + timedelta(days=1))
    with api.client(new_key(api.database_url, "operate", name="Colleague")) as client:
        ended = {"verdict": "legitimate_use"}
        assert client.post(f"/v1/alerts/{before.id}/resolve", json=ended).is_success
    sentence = "Flow jumped to 1,840 litres per hour. First: call the customer."
    alert = say(api.database_url, onset=ONSET, sentence=sentence)
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    expect(view.locator(".first")).to_have_text("Call the customer.")
    expect(view.locator(".lead")).to_have_text("Flow jumped to 1,840 litres per hour.")
    expect(page.locator(".card .spark canvas")).to_be_visible()
    expect(view.locator(".chip").filter(has_text="somebody used it on purpose")).to_be_visible()
    expect(view.get_by_role("link", name="N-1")).to_be_visible()

    view.get_by_role("button", name="Assign").click()
    view.get_by_role("button", name="Me", exact=True).click()
    view.locator("form").get_by_role("button", name="Assign").click()
    expect(page.locator(".card")).to_contain_text("For Ana Torres")
    view.get_by_role("button", name="Work in the street").click()
    view.get_by_label("A crew is on its way").check()
    view.get_by_label("What was found or done?").fill("Van 4")
    view.locator("form").get_by_role("button", name="Work in the street").click()
    expect(page.locator(".card")).to_contain_text("A crew is on its way")
    expect(view.locator("ol.log")).to_contain_text("Van 4")
    expect(view).to_contain_text(str(METER.zone))


def test_what_came_and_went_is_forgotten_and_what_is_open_is_not(console: Console) -> None:
    console.open()
    kept = console.page.evaluate(
        """async () => {
          const { Cases } = await import('/assets/cases.js');
          const cases = new Cases();
          const alert = (n) => ({ id: `a${n}`, version: 1, active: n < 10, state: n < 10 ? 'active' : 'cleared',
            latched: n >= 10 && n < 20, raised_at: `2026-01-01T00:00:00.${String(n).padStart(6, '0')}Z`,
            severity: 'info' });
          for (let n = 0; n < 1500; n += 1) cases.take(alert(n), true); // the second ten ended unseen
          const known = (id) => Boolean(cases.get(id));
          return [cases.size, cases.listed('open').length, known('a1499'), known('a19'), known('a20')];
        }"""
    )
    assert kept == [1020, 20, True, True, False]

"""What operators do with an alert in a real browser, against the real API and database."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Evidence, Rule, Severity
from services.domain.sensor import Sensor
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from tests.api_server import new_key, register, say
from tests.browser.conftest import Console, calm
from tests.browser.history import NOW, ONSET, REFUSED, with_history

pytestmark = pytest.mark.browser


def test_an_alert_arrives_live_is_acknowledged_and_closed(console: Console) -> None:
    api = console.api
    with_history(api)
    page = console.open()
    expect(page.get_by_text("All quiet")).to_be_visible()
    loaded = page.evaluate("performance.timeOrigin")

    alert = say(api.database_url, onset=ONSET)
    shown = page.locator(".card")
    expect(shown).to_contain_text("Sudden high flow: possible burst")
    expect(shown).to_contain_text("Critical")
    expect(shown).to_contain_text("14 Mill Street · Zone 3")
    expect(page).to_have_title("(1) Citygauge")
    expect(page.locator("#announcer")).to_contain_text("Critical")

    shown.get_by_role("link").click()
    view = page.locator("#view")
    expect(view.get_by_text(alert.sentence).first).to_be_visible()
    view.get_by_role("button", name="Acknowledge").click()
    expect(shown).to_contain_text("With Ana Torres")
    expect(view.get_by_role("button", name="Acknowledge")).to_have_count(0)

    view.get_by_role("button", name="Comment").click()
    view.get_by_label("Your comment").fill("Valve closed <b>now</b>")
    view.locator("form").get_by_role("button", name="Comment").click()
    expect(view.get_by_text("Valve closed <b>now</b>")).to_be_visible()

    say(api.database_url, change=Change.CLEAR, onset=ONSET, at=NOW, sentence="Back to normal.")
    expect(page.get_by_text("All quiet")).to_be_visible()
    expect(view.get_by_text("Was critical")).to_be_visible()

    view.get_by_role("button", name="Close the case").click()
    view.get_by_role("button", name="Close the case").click()
    expect(view.get_by_role("alert")).to_contain_text("choose how it ended")
    view.get_by_label("It was real").check()
    view.get_by_label("What did you find?").fill("Burst pipe, repaired")
    view.locator("form").get_by_role("button", name="Close the case").click()
    expect(view.get_by_text("Closed: it was real")).to_be_visible()
    assert page.evaluate("performance.timeOrigin") == loaded, "the page was loaded again"

    with api.client(new_key(api.database_url, "read", name="r")) as client:
        found = client.get(f"/v1/alerts/{alert.id}").json()
    assert (found["verdict"], found["resolved_by"]) == ("real", "Ana Torres")
    assert found["events"][-1]["data"]["comment"] == "Burst pipe, repaired"


def test_hiding_an_alert_takes_it_off_the_open_list(console: Console) -> None:
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    view.get_by_role("button", name="Hide for a while").click()
    view.get_by_label("Why?").fill("Road works")
    view.locator("form").get_by_role("button", name="Hide for a while").click()
    expect(page.get_by_text("All quiet")).to_be_visible()
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".card")).to_contain_text("Hidden until")
    view.get_by_role("button", name="Show again").click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".card")).to_have_count(1)


@pytest.mark.parametrize("live", [True, False], ids=["heard of it", "did not hear of it"])
def test_a_colleague_who_was_faster_is_told_and_nothing_typed_is_lost(
    console: Console, live: bool
) -> None:
    console.expected = (REFUSED,)
    api = console.api
    alert = say(api.database_url)
    if not live:
        console.page.route("**/v1/alerts/stream*", lambda route: route.abort())
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    view.get_by_role("button", name="Close the case").click()
    view.get_by_label("It was real").check()
    view.get_by_label("What did you find?").fill("A long story")
    with api.client(new_key(api.database_url, "operate", name="Colleague")) as client:
        closed = client.post(f"/v1/alerts/{alert.id}/resolve", json={"verdict": "duplicate"})
        assert closed.status_code == 200
    if live:
        expect(page.locator(".card")).to_have_count(0)
    view.locator("form").get_by_role("button", name="Close the case").click()
    said = "no longer possible" if live else "A colleague changed this at the same time"
    expect(view.get_by_role("alert")).to_contain_text(said)
    expect(view.get_by_role("alert")).to_contain_text("What you typed is kept")
    expect(view.get_by_label("What did you find?")).to_have_value("A long story")
    expect(view.get_by_text("Closed: already known")).to_be_visible()
    console.reload()
    expect(view.get_by_text("Closed: already known")).to_be_visible()


def test_a_refused_change_says_why_in_words(visitor: Console) -> None:
    visitor.expected = (REFUSED,)
    secret = new_key(visitor.api.database_url, "read", name="Guest")
    visitor.context.request.post(f"{visitor.api.url}/v1/session", data={"key": secret})
    say(visitor.api.database_url)
    page = visitor.open()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".card").get_by_role("alert")).to_contain_text("does not allow")


def test_a_queue_over_three_stations_is_one_entry_that_unfolds_and_is_acknowledged_at_once(
    console: Console,
) -> None:
    api = console.api
    stations = [
        Sensor(f"A4.{n}", SensorKind.TRAFFIC_STATION, name=f"Kilometre {n}", road="A-4")
        for n in (1, 2, 3)
    ]
    register(api.database_url, stations)
    slow = Evidence("speed_km_per_h", "km/h", 40.0, 64.0, 95.0, 300.0, 10, 0.0)
    first = say(
        api.database_url, subject="A4.3", rule=Rule.CONGESTION, severity=Severity.WARNING,
        onset=ONSET, evidence=slow, sentence="Traffic is slow at Kilometre 3.",
    )  # fmt: skip
    for station in stations[:2]:
        say(
            api.database_url, subject=station.id, rule=Rule.CONGESTION, severity=Severity.WARNING,
            onset=ONSET + timedelta(minutes=5), group=first, evidence=slow, sentence="Traffic is slow here too.",
        )  # fmt: skip
    page = console.open()
    cards = page.locator(".card")
    expect(cards).to_have_count(1)
    expect(page).to_have_title("(1) Citygauge")
    expect(cards).to_contain_text("Kilometre 3")
    more = page.get_by_role("button", name="and 2 more alerts of this event")
    more.click()
    expect(cards).to_have_count(3)
    page.get_by_role("button", name="Fold the event").click()
    expect(cards).to_have_count(1)
    with page.expect_response("**/v1/alerts/changes"):  # the card says so at once, in hope
        page.get_by_role("button", name="Acknowledge all 3").click()
    expect(cards).to_contain_text("With Ana Torres")
    calm(page)
    cards.get_by_role("link").click()
    same = page.locator("#view section").filter(has_text="Same event")
    expect(same.get_by_role("link")).to_have_count(2)
    same.get_by_role("link").first.click()
    expect(page.locator("#view")).to_contain_text("Traffic is slow here too.")
    expect(cards).to_have_count(3)  # the one that is read is not folded away
    with connect(api.database_url, "test") as connection:
        open_alerts = AlertRepository(connection).open_alerts()
    assert [alert.acknowledged_by for alert in open_alerts] == ["Ana Torres"] * 3

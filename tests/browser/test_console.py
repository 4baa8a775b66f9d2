"""The operators' console in a real browser, against the real API and database."""

import math
import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Evidence, Rule, Severity
from services.domain.sensor import Sensor
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect
from tests.api_server import METER, STATION, Api, new_key, register, say, serving, store
from tests.browser.conftest import PATIENCE_MS, Console, arrive, calm, tab

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
ONSET = NOW - timedelta(minutes=45)
XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
REFUSED = "Failed to load resource"


def with_history(api: Api) -> None:
    """A meter with a day of flow that bursts at ONSET, and a gap of an hour."""
    number = register(api.database_url, [METER, STATION])[METER.id]
    times = [
        time
        for minute in range(24 * 60)
        if not 300 <= minute < 360
        for time in [NOW - timedelta(minutes=24 * 60 - minute)]
    ]
    flow = [
        1840.0 + 30 * math.sin(i / 3) if time >= ONSET else 35 + 20 * math.sin(i / 40)
        for i, time in enumerate(times)
    ]
    store(api.database_url, METER, number, times, flow_litres_per_h=flow)


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


def test_names_and_comments_with_markup_are_text(console: Console) -> None:
    sensor = Sensor("X-1", SensorKind.WATER_METER, name=XSS[:100], zone="Zone <b>")
    register(console.api.database_url, [sensor])
    alert = say(
        console.api.database_url, subject="X-1", sentence=f"Sentence {XSS} \u202e right to left"
    )
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    expect(view.get_by_text("Sentence <img src=x").first).to_be_visible()
    view.get_by_role("button", name="Comment").click()
    view.get_by_label("Your comment").fill(XSS)
    view.locator("form").get_by_role("button", name="Comment").click()
    expect(view.locator(".log .said").last).to_have_text(XSS)
    page.get_by_role("combobox", name="Find a sensor").fill("X-1")
    found = page.locator("#search-results [role=option]")  # the sensor and its alert
    expect(found).to_contain_text(["<img src=x", "<img src=x"])
    calm(page)
    assert page.locator("#view img, #cards img, .results img, main script").count() == 0
    assert "owned" not in page.title()


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


def wait_until_painted(page: Page) -> None:
    """Until the first chart has a line on it: two thousand pixels and more that are not empty."""
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector('.plot canvas');
          if (!canvas) return false;
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let filled = 0;
          for (let i = 3; i < data.length; i += 4) filled += data[i] > 0;
          return filled > 2000;
        }"""
    )


def test_the_chart_of_an_alert_is_drawn_and_has_a_table(console: Console) -> None:
    with_history(console.api)
    alert = say(console.api.database_url, onset=ONSET)
    page = console.open(f"/#/alert/{alert.id}")
    chart = page.locator("#view, #page").get_by_role("img", name="Flow from")
    expect(chart).to_be_visible()
    wait_until_painted(page)
    for text in ("Limit 600 litres per hour", "Began", "Alert given"):
        expect(page.locator(".key")).to_contain_text(text)
    page.get_by_role("button", name="Show as table").click()
    rows = page.locator("#view table tbody tr")
    expect(rows.nth(60)).to_be_attached()
    expect(rows.first.locator("time")).to_have_attribute("title", re.compile("UTC"))
    page.get_by_role("button", name="Show as chart").click()
    expect(chart).to_be_visible()


def test_a_sensor_is_found_and_shown(console: Console) -> None:
    with_history(console.api)
    page = console.open()
    box = page.get_by_role("combobox", name="Find a sensor")
    box.fill("mill")
    expect(page.locator("#search-results [role=option]")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(page.get_by_role("heading", name="14 Mill Street")).to_be_visible()
    expect(page.locator("#view, #page").get_by_role("img", name="Flow from")).to_be_visible()
    wait_until_painted(page)
    expect(page.get_by_text("It never raised an alert.")).to_be_visible()
    page.get_by_role("button", name="Last year").click()
    expect(page.locator("#view, #page").get_by_role("img", name="Flow from")).to_be_visible()


def test_a_meter_that_only_counts_shows_its_flow(console: Console) -> None:
    number = register(console.api.database_url, [METER])[METER.id]
    times = [NOW - timedelta(minutes=120 - i) for i in range(120)]
    litres = [1000.0 + 10 * i for i in range(120)]
    store(console.api.database_url, METER, number, times, register_litres=litres)
    alert = say(console.api.database_url, onset=ONSET)
    page = console.open(f"/#/alert/{alert.id}")
    expect(
        page.locator("#view, #page").get_by_role("img", name="Flow from 600 to 600")
    ).to_be_visible()
    expect(page.locator(".key")).to_contain_text("worked out from the meter reading")


def test_a_phone_has_no_horizontal_scroll_however_long_the_names_are(console: Console) -> None:
    long = Sensor("L" * 128, SensorKind.TRAFFIC_STATION, name="W" * 200, road="R" * 90)
    register(console.api.database_url, [long])
    slow = Evidence("speed_km_per_h", "km/h", 40.0, 64.0, 95.0, 300.0, 10, 0.0)
    alert = say(
        console.api.database_url, subject=long.id, rule=Rule.CONGESTION, evidence=slow, sentence="s" * 600
    )  # fmt: skip
    page = console.page
    page.set_viewport_size({"width": 360, "height": 740})
    for address in ("/", f"/#/alert/{alert.id}", f"/#/sensor/{long.id}"):
        console.open(address)
        expect(page.locator("main h1:visible, main h2:visible").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    for address, there in (("/login", "button[type=submit]:enabled"), ("/docs", "details.op")):
        page.goto(console.api.url + address)
        page.locator(there).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address


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


def test_an_outage_is_shown_and_ends_by_itself(browser: Browser, database_url: str) -> None:
    with ExitStack() as stack:
        with serving(database_url, session_secret="s" * 40) as api:
            console = stack.enter_context(tab(browser, api))
            console.expected = (REFUSED,)
            console.sign_in()
            page = console.open()
            expect(page.get_by_text("All quiet")).to_be_visible()
            expect(page.locator("#pulse")).to_contain_text("Connected")
        expect(page.locator("#banner")).to_contain_text("No connection")
        port = int(api.url.rpartition(":")[2])
        with serving(database_url, session_secret="s" * 40, port=port):
            say(database_url)
            expect(page.locator(".card")).to_have_count(1)
            expect(page.locator("#banner")).to_be_hidden()


def test_the_documentation_lists_every_operation_offline(console: Console) -> None:
    page = console.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(console.api.url + "/docs")
    expect(page.get_by_text("/v1/alerts/{alert_id}/resolve", exact=True)).to_be_visible()
    with console.api.client() as client:
        document = client.get("/openapi.json").json()
    operations = sum(len(path) for path in document["paths"].values())
    expect(page.locator("details.op")).to_have_count(operations)
    resolving = page.locator("details.op", has_text="/v1/alerts/{alert_id}/resolve")
    expect(resolving.locator("pre").first).to_contain_text("Pipe repaired")
    expect(resolving.locator("pre").last).to_contain_text('"state": "resolved"')
    assert all(url.startswith(console.api.url) for url in asked)


def test_a_silent_feed_stands_in_the_queue_without_a_sensor(console: Console) -> None:
    numbers = {"silent_sensors_1": 812.0, "sensors_1": 1000.0}
    evidence = Evidence("observed_at", "s", 93600.0, 86400.0, None, 93600.0, 0, 0.81, numbers)
    given = {"rule": Rule.FEED_SILENT, "severity": Severity.CRITICAL, "evidence": evidence}
    alert = say(console.api.database_url, subject="feed/water", **given)
    say(console.api.database_url, subject="gateway/GW 7", **given)
    page = console.open()
    expect(page.locator(".card")).to_have_count(2)
    expect(page.locator(f'.card[data-id="{alert.id}"]')).to_contain_text("All water sensors")
    expect(page.locator("#cards")).to_contain_text("Gateway GW 7")
    page.locator(f'.card[data-id="{alert.id}"] a').click()
    expect(page.locator("#view h2")).to_have_text("Readings no longer come")
    expect(page.locator(".facts")).to_contain_text("812 of 1,000")
    expect(page.locator(".facts")).to_contain_text("All water sensors")
    expect(page.locator('.facts a[href*="sensor"]')).to_have_count(0)
    expect(page.locator("#view")).to_contain_text("no single series to draw")


def test_no_number_is_no_zero(console: Console) -> None:
    evidence = Evidence("flow_litres_per_h", "L/h", None, None, None, 3600.0, 0, 1.0)
    alert = say(console.api.database_url, rule=Rule.SILENT, evidence=evidence)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view h2")).to_have_text("Sensor is silent")
    expect(page.locator(".facts")).not_to_contain_text("Measured")


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


def test_an_alert_shows_the_band_that_its_own_evidence_has(console: Console) -> None:
    with_history(console.api)
    evidence = Evidence(
        "flow_litres_per_h", "L/h", 1840.0, 600.0, 35.0, 600.0, 10, 0.0, {"sigma_litres_per_h": 9.0}
    )
    alert = say(console.api.database_url, onset=ONSET, evidence=evidence)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view .key .k-band")).to_have_text("Usual at this hour")

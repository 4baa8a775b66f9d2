"""The page of scored cases in a browser: axe finds nothing, a phone holds it, links open pictures, the list narrows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from services.detect.recorded.recordings import read_recording
from services.detect.scoring.case_files import score_case
from services.detect.scoring.drawn_series import DrawnSeries
from services.detect.scoring.page import page as page_of
from services.domain.instant import DAY_US, HOUR_US, isoformat
from tests.oracles.feeds import START_US

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
FOUND = "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => [v.id, v.nodes[0].html]))"
EVENTS = 500


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of ten meters over 120 days with 500 events; one in five is missed, one in ten told without cause."""
    folder = tmp_path_factory.mktemp("case")
    rows = ["time,sensor_id,kind,metric,value"]
    for sensor in range(10):
        rows += [
            f"{isoformat(START_US + hour * HOUR_US)},M{sensor},customer_meter,consumption_l,{(hour * 7 + sensor) % 23}"
            for hour in range(120 * 24)
        ]
    (folder / "readings.csv").write_text("\n".join(rows) + "\n")
    events, alerts = [], []
    for i in range(EVENTS):
        begin = START_US + DAY_US + (i // 10) * 2 * DAY_US
        sensor = f"M{i % 10}"
        events.append(
            {"id": f"e{i}", "series": [sensor], "kind": "burst", "start": isoformat(begin),
             "end": isoformat(begin + 6 * HOUR_US), "size": {"lph": 300.0}}
        )  # fmt: skip
        at = [begin + (1 + i % 5) * HOUR_US] if i % 5 else []
        alerts += [
            {"sensor_id": sensor, "kind": "burst", "detected_at": isoformat(us), "started_at": isoformat(begin),
             "sentence": "Much water.", "evidence": {"metric": "flow_litres_per_h", "unit": "L/h", "value": 20.0,
             "threshold": 15.0, "baseline": 9.0, "missing_share": 0.1, "numbers": {"sigma_litres_per_h": 2.0}}}
            for us in [*at, *([begin + 30 * HOUR_US] if i % 10 == 0 else [])]
        ]  # fmt: skip
    (folder / "truth.json").write_text(
        json.dumps(
            {"case": "many", "domain": "water", "eval_start": isoformat(START_US),
             "eval_end": isoformat(START_US + 120 * DAY_US), "events": events}
        )
    )  # fmt: skip
    (folder / "alerts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in alerts))
    scored = score_case("many", folder, folder / "alerts.jsonl")
    text = page_of([scored], lambda case: DrawnSeries(read_recording(case.folder)))
    assert len(text) < 10_000_000
    (folder / "page.html").write_text(text, encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture
def tab(browser: Browser, address: str) -> Page:
    """The page of 500 events."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_holds_it(tab: Page, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.evaluate(AXE)
    assert tab.evaluate(FOUND) == []


def test_the_list_narrows_and_leads_to_the_picture(tab: Page) -> None:
    listed = tab.locator("details.list tbody tr:visible")
    tab.get_by_text("Everything by time").click()
    expect(listed).to_have_count(EVENTS + 50)
    tab.get_by_label("missed (100)").check()
    expect(listed).to_have_count(100)
    tab.get_by_label("found (400)").check()
    expect(listed).to_have_count(400)
    card = tab.locator("article.hit").first
    expect(card).to_be_hidden()
    tab.locator(f'details.list a[href="#{card.get_attribute("id")}"]').click()
    expect(card).to_be_in_viewport()


def test_print_shows_what_is_folded_and_no_choices(tab: Page) -> None:
    tab.emulate_media(media="print")
    expect(tab.locator("article.hit").first).to_be_visible()
    expect(tab.locator(".choose")).to_be_hidden()

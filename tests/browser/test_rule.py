"""A rule changed after a backtest: other values are tried, and become lines of the settings file."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from services.api.neighbours import Neighbours
from services.cli.previewer import ProcessPreviewer
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from services.domain.alert import Verdict
from tests.api_server import serving
from tests.browser.conftest import tab
from tests.browser.test_everyone import AXE, LOOK
from tests.integration.test_backtest_database import stored
from tests.integration.test_tune_database import history, told_and_judged

pytestmark = pytest.mark.browser


def test_a_rule_is_tried_with_other_values_before_anyone_changes_it(
    browser: Browser, database_url: str, tmp_path: Path
) -> None:
    folder = history(tmp_path / "one")
    stored(database_url, folder)
    told_and_judged(database_url, folder, {"M1": Verdict.REAL, "M2": Verdict.LEGITIMATE_USE})
    settings = DetectorSettings()
    beside = Neighbours(
        rules_of(settings), ProcessPreviewer(database_url, settings, 35.0, 1_000_000_000, 120.0)
    )
    with serving(database_url, neighbours=beside) as api, tab(browser, api) as console:
        console.sign_in()
        console.expected = ("422",)  # a value out of its bounds
        page = console.open("/#/rules")
        rule = page.get_by_role("region", name="Water never stops flowing")
        rule.get_by_role("link", name="Try other values").click()
        expect(page.locator("#page h1")).to_have_text("Water never stops flowing")
        ask = page.get_by_role("button", name="Show what would have been")
        ask.click()
        expect(page.get_by_role("alert")).to_have_text("Change at least one value first.")
        limit = page.get_by_label("Least time without a pause")
        limit.fill("300")
        ask.click()
        expect(page.get_by_role("alert")).to_contain_text("Least time without a pause: at most 72")
        limit.fill("40")
        page.get_by_label("Time without a pause after which").fill("40")
        page.get_by_label("Over").select_option(label="Last 7 days")
        ask.click()
        answer = page.get_by_role("region", name="What would have been")
        expect(answer).to_contain_text("1 alert more. 1 alert fewer. 1 alert as now.")
        expect(answer.get_by_role("row", name="Right, of those judged")).to_contain_text("50%100%")
        lost = page.get_by_role("row").filter(has_text="Gone")
        expect(lost).to_contain_text("Somebody used it on purpose")
        kept = page.get_by_role("row").filter(has_text="As now")
        expect(kept).to_contain_text("later")
        lines = "[detectors]\ncontinuous_min_h = 40.0\ncontinuous_vendor_h = 40.0"
        expect(page.locator("pre").filter(has_text="[detectors]")).to_have_text(lines)
        expect(page).to_have_url(re.compile(r"#/rule/continuous_flow\?preview="))
        page.evaluate(AXE)
        assert not page.evaluate(LOOK)
        console.reload()
        expect(lost).to_be_visible()
        kept.get_by_role("link", name="It was real").click()
        expect(page.locator("#view h2")).to_have_text("Water never stops flowing")

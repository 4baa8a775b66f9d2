"""Whatever people write about alerts and rules stays text in the console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.api_server import METER, new_key, register, say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser

XSS = "<img src=x onerror=\"document.title='owned'\">"


def test_an_assignee_and_the_reason_of_an_exemption_stay_text(console: Console) -> None:
    api = console.api
    register(api.database_url, [METER])
    alert = say(api.database_url)
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with api.client(new_key(api.database_url, "operate", name=f"Eve {XSS}"[:60])) as eve:
        eve.post(f"/v1/alerts/{alert.id}/assign", json={"assignee": XSS}).raise_for_status()
        rule = {"subjects": [METER.id], "ends_at": until, "reason": f"Reason {XSS}"}
        eve.post("/v1/exemptions", json=rule).raise_for_status()
    page = console.open(f"/#/alert/{alert.id}")
    view = page.locator("#view")
    expect(view.get_by_text("Reason <img src=x").first).to_be_visible()
    expect(view.get_by_text(XSS).first).to_be_visible()
    assert page.locator("#view img, #cards img, main script").count() == 0
    assert "owned" not in page.title()

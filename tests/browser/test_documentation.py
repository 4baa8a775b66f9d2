"""The API's documentation in the console, offline."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Console

pytestmark = pytest.mark.browser


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

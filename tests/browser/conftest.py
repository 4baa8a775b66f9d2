"""A real browser, signed in to a running API; whatever the page complains about fails the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from services.embedded.browser import driver_libraries, find_chromium
from tests.api_server import Api, new_key, serving

PATIENCE_MS = 30_000
"""How long a page may take to show what a test expects: other tests share the machine's cores."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def driver() -> Iterator[Playwright]:
    """Playwright, whose node finds on a minimal machine what was unpacked beside the private Chromium."""
    with pytest.MonkeyPatch.context() as patch:
        if (libraries := driver_libraries()) is not None:
            patch.setenv("LD_LIBRARY_PATH", str(libraries))
        with sync_playwright() as playwright:
            patch.undo()
            yield playwright


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("there is no Chromium; python -m services.embedded.browser prepares one")
    with driver() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        launched = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        launched.close()


@dataclass
class Console:
    """A browser tab on the console."""

    api: Api
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def open(self, address: str = "/") -> Page:
        """Go to an address of the console and wait until the list is there."""
        self.page.goto(self.api.url + address)
        self.page.locator("#cards:not([aria-busy])").wait_for(state="attached")
        return self.page

    def sign_in(self) -> None:
        """Get a session as Ana Torres would."""
        secret = new_key(self.api.database_url, "operate")
        answer = self.context.request.post(f"{self.api.url}/v1/session", data={"key": secret})
        assert answer.ok


@pytest.fixture
def console_api(database_url: str) -> Iterator[Api]:
    """The API on a fresh database."""
    with serving(database_url, stream_heartbeat_s=1) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, console_api: Api) -> Iterator[Console]:
    """A tab of somebody who is not signed in."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="en-GB", timezone_id="UTC"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    console = Console(console_api, context, page)
    page.on("pageerror", lambda error: console.complaints.append(f"error: {error}"))
    page.on(
        "console",
        lambda message: (
            console.complaints.append(message.text) if message.type == "error" else None
        ),
    )
    yield console
    context.close()
    unexpected = [
        each for each in console.complaints if not any(part in each for part in console.expected)
    ]
    assert not unexpected


@pytest.fixture
def console(visitor: Console) -> Console:
    """A tab of Ana Torres, who may operate alerts."""
    visitor.sign_in()
    return visitor

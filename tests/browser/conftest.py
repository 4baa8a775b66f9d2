"""A real browser, signed in to a running API; whatever the page complains about fails the test.

A slow machine can be played: `BROWSER_THROTTLE=6` makes the pages' processor six times slower,
`BROWSER_LATENCY_MS=700` lets every answer come so much later. All tests must pass with both.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Route,
    expect,
    sync_playwright,
)

from services.api.neighbours import Neighbours
from services.cli.rule_settings import rules_of
from services.detect.detector_settings import DetectorSettings
from services.embedded.browser import driver_libraries, find_chromium
from tests.api_server import Api, new_key, serving
from tests.waiting import wait_until

PATIENCE_MS: Final = 60_000
"""How long a page may take to show what a test expects: other tests share the machine's cores."""

LAUNCH_MS: Final = 180_000
"""How long Chromium may take to start on a machine that is building other things."""

THROTTLE: Final = float(os.environ.get("BROWSER_THROTTLE", "1"))
LATENCY_MS: Final = float(os.environ.get("BROWSER_LATENCY_MS", "0"))

CALM: Final = """() => {
  const waiting = [...document.querySelectorAll('main .loading, main .ghost, main [aria-busy]')];
  const calm = document.documentElement.dataset.asking === '0' && !waiting.some((each) => each.checkVisibility());
  window.calmFrames = calm ? (window.calmFrames ?? 0) + 1 : 0;
  return window.calmFrames > 2;
}"""
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
        launched = playwright.chromium.launch(
            executable_path=chromium, args=list(ARGUMENTS), timeout=LAUNCH_MS
        )
        yield launched
        launched.close()


def arrive(page: Page, address: str) -> None:
    """Wait until the console answers keys, clicks and live events, and shows all of an address's view (#/map)."""
    expect(page.locator("html")).to_have_attribute("data-ready", "")
    expect(page.locator("body")).to_have_attribute("data-shown", address)
    calm(page)


def calm(page: Page) -> None:
    """Wait until the page has awaited no answer, and drawn nothing that waits for one, for three frames."""
    page.evaluate("window.calmFrames = 0")
    page.wait_for_function(CALM)


@dataclass
class Console:
    """A browser tab on the console."""

    api: Api
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def open(self, address: str = "/") -> Page:
        """Go to an address of the console and wait until all of it is there."""
        self.page.goto(self.api.url + address)
        arrive(self.page, address.removeprefix("/") or "#/")
        return self.page

    def reload(self) -> None:
        """Load the page again where it is, and wait until all of it is there."""
        address = self.page.evaluate("location.hash") or "#/"
        self.page.reload()
        arrive(self.page, address)

    def stands_at(self, part: str) -> None:
        """Wait until the address holds a part (show=critical)."""
        expect(self.page).to_have_url(re.compile(re.escape(part)))

    def sign_in(self) -> None:
        """Get a session as Ana Torres would."""
        secret = new_key(self.api.database_url, "operate")
        answer = self.context.request.post(f"{self.api.url}/v1/session", data={"key": secret})
        assert answer.ok


@contextmanager
def tab(browser: Browser, api: Api) -> Iterator[Console]:
    """A tab of somebody who is not signed in, of a context of its own."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    try:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        slow_down(page)
        console = Console(api, context, page)
        page.on("pageerror", lambda error: console.complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                console.complaints.append(message.text) if message.type == "error" else None
            ),
        )
        yield console
    finally:
        context.close()
    unexpected = [
        each for each in console.complaints if not any(part in each for part in console.expected)
    ]
    assert not unexpected


def held(page: Page, pattern: str) -> list[Route]:
    """Requests that match wait from now on in this list, until the test lets them go on."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route(pattern, hold)
    return waiting


def release(page: Page, waiting: list[Route]) -> None:
    """Wait until a request is held, and let it go on."""
    wait_until(lambda: (page.title(), waiting)[1], what="a request that is held")
    waiting.pop().continue_()


def slow_down(page: Page) -> None:
    """Make the page as slow as the environment asks for."""
    if THROTTLE == 1 and not LATENCY_MS:
        return
    link = page.context.new_cdp_session(page)
    link.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    link.send("Network.enable")
    late = {"latency": LATENCY_MS, "downloadThroughput": -1, "uploadThroughput": -1}
    link.send("Network.emulateNetworkConditions", {"offline": False, **late})


@pytest.fixture
def console_api(database_url: str) -> Iterator[Api]:
    """The API on a fresh database."""
    beside = Neighbours(rules_of(DetectorSettings()))
    with serving(database_url, neighbours=beside, stream_heartbeat_s=1) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, console_api: Api) -> Iterator[Console]:
    """A tab of somebody who is not signed in."""
    with tab(browser, console_api) as visitor:
        yield visitor


@pytest.fixture
def console(visitor: Console) -> Console:
    """A tab of Ana Torres, who may operate alerts."""
    visitor.sign_in()
    return visitor

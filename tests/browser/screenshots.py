"""`make screenshots`: pictures of every page of the console on the demo's city, for docs/images.

All pages in light at a desk, in dark, on a phone and in Spanish; *Now* on a wall of 4K, too. They are made to be looked
at one by one. Tiles beneath the map are drawn here: pictures show no other people's maps.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from services.embedded.browser import find_chromium
from tests.browser.conftest import ARGUMENTS, calm, driver

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
WALL: Final = {"width": 3840, "height": 2160}
PATIENCE_MS: Final = 90_000
PAGES: Final = {
    "map": "#/map",
    "corridors": "#/corridors",
    "corridor": "#/corridor/A-1?direction=N",
    "zones": "#/zones",
    "zone": "#/zone/DMA-1?span=week",
    "sensors": "#/sensors",
    "sensor": "#/sensor/A1N.S05?compare=week",
    "quality": "#/quality",
    "quality-days": "#/quality?tab=days&days=14",
    "quality-rejected": "#/quality?tab=rejected",
    "performance": "#/performance?weeks=4",
    "rules": "#/rules",
    "rule": "#/rule/continuous_flow",
    "expect": "#/expect",
    "messages": "#/messages",
}
"""Name -> address, of the pages that need nothing chosen; the alert's comes from the list."""

CHANGES: Final = {"continuous_min_h": 30.0, "continuous_vendor_h": 30.0}
"""What the pictured preview tries."""
TILES: Final = "**/v1/map/tiles"
HEADERS: Final = {"X-Citygauge": "console"}
STREETS: Final = """<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256">
<rect width="256" height="256" fill="#eef0ea"/><path d="M150 150h70v70h-70z" fill="#d5e6cc"/>
<path d="M0 64h256M64 0v256M0 192h256M192 0v256" stroke="#fff" stroke-width="7"/>
<path d="M0 128h256M128 0v256" stroke="#fff" stroke-width="14"/>
<path d="M0 230c80-40 160 30 256-20" fill="none" stroke="#bcd6e6" stroke-width="12"/></svg>"""
"""A tile: streets, a park and a brook, the same everywhere."""


def settle(page: Page) -> None:
    """Until the page shows what it has."""
    page.locator("body[data-shown]").wait_for()
    calm(page)


def take(page: Page, name: str, address: str) -> None:
    """Open an address as a fresh page and take its picture."""
    page.goto("about:blank")
    page.goto("/" + address)
    settle(page)
    if "?preview=" in address:
        page.locator("#tried-answer").evaluate("(title) => title.scrollIntoView()")
        page.evaluate("scrollBy(0, -100)")
    page.screenshot(path=FOLDER / f"console-{name}.png")


def expected(page: Page) -> None:
    """Something to expect, so that its page shows one."""
    ends = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    body = {"subjects": ["DMA-1.M0007"], "ends_at": ends, "reason": "The hydrant is flushed"}
    assert page.request.post("/v1/exemptions", data=body, headers=HEADERS).ok


def previewed(page: Page) -> str:
    """The address of a preview that is done."""
    order = {"changes": CHANGES, "days": 7, "zone": "DMA-1"}
    made = page.request.post("/v1/rules/previews", data=order, headers=HEADERS)
    assert made.ok, made.text()
    address = f"#/rule/continuous_flow?preview={made.json()['id']}"
    page.goto("/" + address)
    page.locator("#tried-answer").wait_for(timeout=10 * PATIENCE_MS)
    return address


def tiled(address: str) -> dict[str, str]:
    """The settings of a service with these tiles."""
    return {
        "CITYGAUGE_API_MAP_TILES": address,
        "CITYGAUGE_API_MAP_ATTRIBUTION": "Drawn for this picture",
    }


@contextmanager
def streets() -> Iterator[str]:
    """A server of tiles on loopback: its address with {z}, {x} and {y}."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "image/svg+xml")
            self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.end_headers()
            self.wfile.write(STREETS.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{{z}}/{{x}}/{{y}}.svg"
        server.shutdown()


def speak(page: Page, language: str) -> None:
    """Choose the language as a reader would, without the clicks."""
    kept = json.dumps({"language": language})
    page.evaluate("(kept) => localStorage.setItem('citygauge preferences', kept)", kept)


def pictures(page: Page) -> None:
    """All of them, from a city in which alerts have been told."""
    leak = page.locator('#cards a[data-part="open"]:has-text("Water never stops flowing")')
    leak.first.wait_for()
    alert = str(leak.first.get_attribute("href"))
    expected(page)
    preview = previewed(page)
    take(page, "map-tiles", "#/map")
    page.route(TILES, lambda route: route.fulfill(json={}))
    pages = {"now": "#/", **PAGES, "preview": preview}
    for name, address in {"light": alert, **pages}.items():
        take(page, name, address)
    page.emulate_media(color_scheme="dark")
    take(page, "dark", alert)
    for name, address in pages.items():
        take(page, f"{name}-dark", address)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    take(page, "phone", alert)
    for name, address in pages.items():
        take(page, f"{name}-phone", address)
    page.set_viewport_size(WALL)  # type: ignore[arg-type]
    take(page, "now-wall", pages["now"])
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    speak(page, "es")
    take(page, "spanish", alert)
    for name, address in pages.items():
        take(page, f"{name}-spanish", address)


def main() -> None:
    """Run the demo and take the pictures."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: make browser")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services.cli", "demo", "--for", "600", "--speed", "5000"]
    with (
        streets() as tiles,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **tiled(tiles)}
        ) as demo,
        driver() as tools,
    ):
        assert demo.stdout is not None
        address = next(
            found[0] for line in demo.stdout if (found := re.search(r"http\S+token=\S+", line))
        )
        browser = tools.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        context = browser.new_context(
            viewport=DESK,  # type: ignore[arg-type]
            color_scheme="light",
            locale="en-GB",
            base_url=address.partition("/login")[0],
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.get_by_role("button", name="All", exact=True).click()
        pictures(page)
        browser.close()
        demo.terminate()
        demo.stdout.read()


if __name__ == "__main__":
    main()

"""`make screenshots`: pictures of every page of the console on the demo's city, for docs/images.

All pages in light at a desk; some in dark, on a phone and in Spanish. They are made to be looked at one by one.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from services.embedded.browser import find_chromium
from tests.browser.conftest import ARGUMENTS, calm, driver

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
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
DARK: Final = ("map", "corridor", "zone", "sensor", "quality-days")
PHONES: Final = ("now", "map", "corridor", "zone", "sensor", "quality", "performance", "expect")
SPANISH: Final = ("now", "map", "corridor", "zone", "rule")


def settle(page: Page) -> None:
    """Until the page shows what it has."""
    page.locator("body[data-shown]").wait_for()
    calm(page)


def take(page: Page, name: str, address: str) -> None:
    """Open an address as a fresh page and take its picture."""
    page.goto("about:blank")
    page.goto("/" + address)
    settle(page)
    page.screenshot(path=FOLDER / f"console-{name}.png")


def speak(page: Page, language: str) -> None:
    """Choose the language as a reader would, without the clicks."""
    kept = json.dumps({"language": language})
    page.evaluate("(kept) => localStorage.setItem('citygauge preferences', kept)", kept)


def pictures(page: Page) -> None:
    """All of them, from a city in which alerts have been told."""
    leak = page.locator('#cards a[data-part="open"]:has-text("Water never stops flowing")')
    leak.first.wait_for()
    alert = str(leak.first.get_attribute("href"))
    pages = {"now": "#/", **PAGES}
    for name, address in {"light": alert, **pages}.items():
        take(page, name, address)
    page.emulate_media(color_scheme="dark")
    take(page, "dark", alert)
    for name in DARK:
        take(page, f"{name}-dark", pages[name])
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    take(page, "phone", alert)
    for name in PHONES:
        take(page, f"{name}-phone", pages[name])
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    speak(page, "es")
    take(page, "spanish", alert)
    for name in SPANISH:
        take(page, f"{name}-spanish", pages[name])


def main() -> None:
    """Run the demo and take the pictures."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: make browser")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services.cli", "demo", "--for", "600", "--speed", "5000"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo,
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

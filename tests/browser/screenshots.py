"""`make screenshots`: pictures of the console on the demo's city, in light, dark and on a phone, for docs/images."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from services.embedded.browser import find_chromium
from tests.browser.conftest import ARGUMENTS, driver

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
LEAK: Final = '#cards a[data-part="open"]:has-text("Water never stops flowing")'
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}


def wait_for_city(page: Page, seconds: float) -> None:
    """Wait until a leak and a jam have been told."""
    page.locator(LEAK).first.wait_for(timeout=seconds * 1000)
    page.get_by_text("Traffic is").first.wait_for(timeout=seconds * 1000)


def take(page: Page, name: str) -> None:
    """Open the newest leak and take its picture, when its chart is drawn."""
    page.locator(LEAK).first.click()
    page.locator("canvas").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")


def main() -> None:
    """Run the demo and take the pictures."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: make browser")
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "services.cli", "demo", "--for", "60"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo,
        driver() as tools,
    ):
        assert demo.stdout is not None
        address = next(
            found[0] for line in demo.stdout if (found := re.search(r"http\S+token=\S+", line))
        )
        browser = tools.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        context = browser.new_context(viewport=DESK, color_scheme="light", bypass_csp=True)
        page = context.new_page()
        page.goto(address)
        page.get_by_role("button", name="All", exact=True).click()
        wait_for_city(page, 60)
        take(page, "console-light")
        page.emulate_media(color_scheme="dark")
        page.reload()
        page.get_by_role("button", name="All", exact=True).click()
        take(page, "console-dark")
        page.set_viewport_size(PHONE)
        page.wait_for_function("document.querySelector('canvas').clientWidth < window.innerWidth")
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=FOLDER / "console-phone.png", full_page=True)
        browser.close()
        demo.terminate()
        demo.stdout.read()


if __name__ == "__main__":
    main()

"""The map of a large city in the console: how long until it can be used, and its frames while somebody drags it.

It refuses to measure tiles of other servers: the city is drawn without any.
"""

from __future__ import annotations

import time
from typing import Final

from playwright.sync_api import Page

ROUNDS: Final = 3
DRAGS: Final = 4
STEPS: Final = 40
RECORD: Final = """() => {
  window.panned = [];
  window.panning = true;
  let last = performance.now();
  const step = (now) => { panned.push(now - last); last = now; if (window.panning) requestAnimationFrame(step); };
  requestAnimationFrame(step);
}"""


def panned(page: Page, url: str) -> tuple[list[float], list[float]]:
    """Milliseconds until the map shows all sensors and answers, and of its frames while it is dragged."""
    opened = []
    for _ in range(ROUNDS):
        page.goto(f"{url}/#/rules")
        page.locator("body[data-shown='#/rules']").wait_for()
        begun = time.perf_counter()
        page.goto(f"{url}/#/map")
        page.locator("body[data-shown='#/map']").wait_for()
        page.locator(".map-list li").first.wait_for()
        opened.append((time.perf_counter() - begun) * 1000)
    page.locator(".leaflet-control-zoom-in").click(click_count=2)
    page.wait_for_timeout(1000)
    place = page.locator("#map").bounding_box()
    assert place is not None
    left, middle = place["x"] + place["width"] * 0.2, place["y"] + place["height"] / 2
    before = page.evaluate("location.hash")
    page.evaluate(RECORD)
    for drag in range(DRAGS):
        ends = (left, left + place["width"] * 0.6)
        start, end = ends if drag < DRAGS - 1 else ends[::-1]
        page.mouse.move(start, middle)
        page.mouse.down()
        page.mouse.move(end, middle, steps=STEPS)
        page.mouse.up()
    frames: list[float] = page.evaluate("() => { panning = false; return panned; }")
    page.wait_for_function("(before) => location.hash !== before", arg=before)  # it moved
    return opened, frames[5:]

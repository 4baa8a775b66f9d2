"""What open pages of the console keep of a stream of alerts: before and after so many of them came and went.

It refuses to count open alerts, which are the list itself: as many are open at the end as at the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from playwright.sync_api import Page

from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import to_us
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect

OPEN: Final = {"Sensor": "#/sensor/METER", "Map": "#/map"}
"""Pages that stay open beside Now while the stream's events come."""


@dataclass(frozen=True)
class Kept:
    """What a page keeps after a collection: megabytes of JavaScript, nodes of the document, listeners."""

    heap_mb: float
    nodes: int
    listeners: int


def kept(page: Page) -> Kept:
    """What is in use."""
    page.evaluate("window.seen = {}")  # what the benchmark itself wrote down
    link = page.context.new_cdp_session(page)
    for _ in range(2):
        link.send("HeapProfiler.collectGarbage")
    used = float(link.send("Runtime.getHeapUsage")["usedSize"])
    counted = link.send("Memory.getDOMCounters")
    link.detach()
    return Kept(used / 1e6, int(counted["nodes"]), int(counted["jsEventListeners"]))


def lasting(
    pages: Mapping[str, Page], url: str, first: int, count: int
) -> dict[str, tuple[Kept, Kept]]:
    """What each page, by name, keeps before and after so many events came by the stream.

    Alerts begin, are acknowledged and end, a hundred at a time, so that as many are open afterwards as before: those
    that nobody looked at would wait in the list, which holds whatever is open. A quarter of the events comes before
    the first look: what the console keeps of what has passed is full then.
    """
    onset = datetime.now(UTC)
    sent = {name: int(page.evaluate("window.streamed")) for name, page in pages.items()}
    before = {name: kept(page) for name, page in pages.items()}
    with connect(url, "bench", autocommit=True) as connection:
        repository = AlertRepository(connection)
        for done in range(0, count, 500):
            if done <= count // 4 < done + 500:
                before = {name: kept(page) for name, page in pages.items()}
            lives = [life(first + n, onset + timedelta(seconds=done)) for n in range(100)]
            for step in zip(*lives, strict=True):
                repository.apply(step)
            for name, page in pages.items():
                heard = sent[name] + done + 500
                page.wait_for_function("(sent) => window.streamed >= sent", arg=heard)
    for page in pages.values():
        page.wait_for_timeout(1500)
    return {name: (before[name], kept(page)) for name, page in pages.items()}


def grown(pages: Mapping[str, Page], url: str, count: int) -> Iterator[tuple[str, str, float]]:
    """What was measured of each page, our aim, and the figure."""
    for name, (before, after) in lasting(pages, url, 0, count).items():
        yield f"{name}: memory before the stream's events, MB", "-", before.heap_mb
        yield f"{name}: memory after them, MB", "< 2 MB more", after.heap_mb
        yield f"{name}: nodes more after them", "< 100", after.nodes - before.nodes
        yield f"{name}: listeners more after them", "< 100", after.listeners - before.listeners


def life(n: int, onset: datetime) -> list[AlertEvent]:
    """The five events of one alert, from its beginning to its end; somebody acknowledges it in between."""
    evidence = Evidence("flow_litres_per_h", "L/h", 900.0, 600.0, 35.0, 600.0, 10, 0.0)
    changes = (Change.RAISE, Change.UPDATE, None, Change.UPDATE, Change.CLEAR)
    alert: Alert | None = None
    events = []
    for step, change in enumerate(changes):
        at = onset + timedelta(milliseconds=step)
        event: AlertEvent | None
        if change is None:
            assert alert is not None
            event = AlertEvent(uuid4(), alert.id, EventKind.ACKNOWLEDGED, at, "Ana Torres", {})
        else:
            condition = Condition(
                Rule.NIGHT_FLOW,
                f"M-{n:06d}",
                change,
                to_us(onset),
                to_us(at),
                Severity.INFO,
                0.9,
                evidence,
            )
            event = event_of_condition(condition, f"Water runs at meter M-{n:06d}, {step}.", alert)
        assert event is not None
        alert = fold(alert, event)
        events.append(event)
    return events

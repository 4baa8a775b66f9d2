"""Ways for tests to run the detect service's runner on the real database and to read what it told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import generate_latest

from services.detect.metrics import DetectMetrics
from services.detect.roster import MakeCore
from services.detect.runner import Runner
from services.detect.settings import DetectSettings
from services.domain.alert_fold import fold_all
from services.domain.condition import Condition
from services.domain.sensor import Sensor
from services.store.alerting.alerts import AlertRepository, StoredEvent
from services.store.connection import connect
from tests.integration.detecting import SETTINGS, small_core, words
from tests.waiting import wait_until

Rows = list[tuple[int, float, float]]


@contextmanager
def runner(
    url: str,
    settings: DetectSettings = SETTINGS,
    make: MakeCore = small_core,
    metrics: DetectMetrics | None = None,
    say: Callable[[Condition, Sensor], str] = words,
) -> Iterator[Runner]:
    """A runner as after a start; leaving the block is a crash: nothing is saved."""
    with connect(url, "test-detect", autocommit=True) as conn:
        yield Runner(conn, settings, make, say, metrics or DetectMetrics(), threading.Event())


def drain(work: Runner) -> None:
    """Take everything that is in the feed, also what an open transaction (of autovacuum, say) still holds back."""

    def drained() -> bool:
        while work.work():
            pass
        return work._reader.lag().batches == 0

    wait_until(drained, what="the feed to be drained")


def log(url: str) -> list[StoredEvent]:
    """Every event of the log, in order."""
    with connect(url, "test", autocommit=True) as conn:
        return AlertRepository(conn).events_after(0, limit=10_000)


def told(url: str) -> list[tuple[str, str]]:
    """(kind, subject's sentence) of each event, in order."""
    return [(entry.event.kind.value, str(entry.event.data.get("sentence"))) for entry in log(url)]


def kinds(url: str) -> list[str]:
    """The kind of each event, in order."""
    return [kind for kind, _ in told(url)]


def value(metrics: DetectMetrics, line: str) -> float:
    """The value of a metric's line."""
    for row in generate_latest(metrics.registry).decode().splitlines():
        if row.rpartition(" ")[0] == line:
            return float(row.rpartition(" ")[2])
    raise AssertionError(f"there is no metric {line}")


def check_log_folds_to_rows(url: str) -> None:
    """Each alert's row is what its events fold to."""
    with connect(url, "test", autocommit=True) as conn:
        repository = AlertRepository(conn)
        ids = {entry.event.alert_id for entry in log(url)}
        for alert_id in ids:
            entries = repository.events(alert_id)
            assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
            assert fold_all([entry.event for entry in entries]) == repository.get(alert_id)


LEAK = [10.0, 20.0, 150.0, 160.0, 1200.0, 1300.0, 20.0, 10.0, 200.0, 30.0]
LEAK_KINDS = ["raised", "escalated", "cleared", "raised", "cleared"]


def leak(number: int) -> list[Rows]:
    """A leak that is raised, made worse, cleared, and comes back for a minute; a batch a minute."""
    return [[(number, minute, flow)] for minute, flow in enumerate(LEAK, start=1)]

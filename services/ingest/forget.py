"""Ends the session of a worker that will not come back: takes it over, stores what the broker holds for it, ends it.

It refuses to do so to a worker that is alive, or to the last one of its share group, unless it is told to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event

from services.domain.errors import CitygaugeError
from services.ingest.inbox import Inbox
from services.ingest.intake import Intake
from services.ingest.metrics import IngestMetrics
from services.ingest.mqtt import Link
from services.ingest.parts import assembler_of, subscription_of
from services.ingest.pipeline import Pipeline
from services.ingest.settings import IngestSettings
from services.ingest.subscription import share_name
from services.store import accounting, membership
from services.store.connection import Connection, connect


class StillNeeded(CitygaugeError):
    """The worker may not be forgotten: `why`."""

    def __init__(self, worker: str, why: str) -> None:
        self.worker, self.why = worker, why
        super().__init__(f"worker {worker} is not forgotten: {why}")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of it.

    Attributes:
        known: the broker had a session of this worker.
        messages: that were waiting in it, and are committed.
        ended: nothing is left, and the session is gone; False: call again.
    """

    known: bool
    messages: int
    ended: bool


def forget(
    settings: IngestSettings,
    database_url: str,
    mqtt_url: str,
    *,
    longest_s: float,
    force: bool = False,
    stop: Event | None = None,
) -> Forgotten:
    """Drains and ends the session of the worker `settings.worker`, with the topics and share group of the settings.

    Args:
        longest_s: what is not drained by then stays, and the worker's place is given up nevertheless.
        force: also where the worker is alive (it is thrown out) or the last one (messages that come later are lost
            until somebody subscribes).
        stop: ends the work early.

    Raises:
        StillNeeded: the worker is alive or the last one, or somebody else is ending its session.
        DatabaseUnavailable: nothing was done.
    """
    wanted = subscription_of(settings)
    with connect(database_url, "citygauge-workers", autocommit=True) as conn:
        if not membership.claim(conn, settings.worker):
            raise StillNeeded(settings.worker, "somebody else is at it")
        if not force:
            _may(conn, settings.worker, share_name(wanted.filters))
        inbox = Inbox(
            settings.max_payload_bytes, settings.keep_payload_bytes, lambda: time.time_ns() // 1000
        )
        link, metrics = Link(mqtt_url, wanted, inbox, withdrawing=True), IngestMetrics()
        ended = False
        try:
            ended = Pipeline(
                settings,
                database_url=database_url,
                link=link,
                inbox=inbox,
                intake=Intake(assembler_of(settings), settings.unknown_sensors),
                metrics=metrics,
                stop=stop or Event(),
            ).drain(longest_s)
        finally:
            link.close(forget=ended)
        if ended:
            accounting.leave(conn, settings.worker)
    messages = metrics.registry.get_sample_value("citygauge_ingest_messages_total")
    return Forgotten(link.session_present, int(messages or 0), ended)


def _may(conn: Connection, worker: str, subscription: str) -> None:
    for each in membership.members(conn):
        if each.name == worker and not each.away:
            why = (
                f"it said {each.silent_s:.0f} s ago that it is alive; stop it first, or use --force"
            )
            raise StillNeeded(worker, why)
    if not membership.begin_leaving(conn, worker, subscription):
        raise StillNeeded(
            worker,
            "no other worker of its share group is alive, so what comes later would be lost; "
            "start one first, or use --force",
        )

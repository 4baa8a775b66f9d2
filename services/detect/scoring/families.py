"""Groups the kinds of alerts and events into families: an alert can only find an event of its own family.

It refuses to guess: a kind that is not named here is a family by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """What is wrong, however the detector calls it."""

    LEAK = "leak"
    BACKFLOW = "backflow"
    STUCK = "stuck"
    MISSING = "missing"
    CONGESTION = "congestion"
    INCIDENT = "incident"
    MALFUNCTION = "malfunction"
    ANOMALY = "anomaly"
    FLOOD = "flood"
    REGISTER = "register"


KINDS: Final[Mapping[Family, str]] = {
    Family.LEAK: (
        "leak continuous_flow continuous_leak intermittent_leak burst high_usage high_flow night_flow "
        "min_night_flow mnf dma_leak mass_balance dma_imbalance pressure_drop leak_customer leak_dma zone_leak"
    ),
    Family.BACKFLOW: "backflow reverse_flow",
    Family.STUCK: "stuck stuck_meter dead_meter zero_consumption no_flow stopped_meter",
    Family.MISSING: (
        "missing missing_data comms_loss gap no_data sensor_offline offline silent missing_feed feed_silent"
    ),
    Family.CONGESTION: "congestion slow_traffic queue bottleneck",
    Family.INCIDENT: "incident accident",
    Family.MALFUNCTION: (
        "malfunction detector_malfunction stuck_detector detector_fault sensor_fault stuck_sensor flatline"
    ),
    Family.ANOMALY: "anomaly",
    Family.FLOOD: "flood alert_flood",
    Family.REGISTER: "register rollover register_reset exchange meter_exchange",
}
"""Family -> the words for it, in labelled recordings and in our own rules."""

_FAMILY_OF: Final = {kind: family for family, kinds in KINDS.items() for kind in kinds.split()}

_FINDS: Final[Mapping[Family, frozenset[Family]]] = {
    Family.STUCK: frozenset({Family.STUCK, Family.MALFUNCTION}),
    Family.MALFUNCTION: frozenset({Family.MALFUNCTION, Family.STUCK, Family.MISSING}),
    Family.MISSING: frozenset({Family.MISSING, Family.MALFUNCTION}),
}
"""Event's family -> the alerts that find it, where one physical fault has several honest names."""


def family_of(kind: str) -> str:
    """The family of a kind; the kind itself where it has none."""
    return str(_FAMILY_OF.get(kind, kind))


def finds(alert: str, event: str) -> bool:
    """Whether an alert of the one family can find an event of the other."""
    if Family.ANOMALY in (alert, event):
        return True
    if event in _FINDS:
        return alert in _FINDS[Family(event)]
    return alert == event

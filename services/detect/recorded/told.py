"""One alert of a backtest as a person would have heard of it: what was said at each telling, and how it ended.

Numbers of an open alert go on with its measurement. A line keeps those of the moment at which somebody was told, since
only they redraw the decision; the newest stand beside them. It refuses to decide who is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.detect.words.late_words import ended_at
from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.alert_fold import fold
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.instant import isoformat, to_us
from services.domain.sensor import Sensor

RECORDED_NAMES: Final[Mapping[Rule, str]] = {
    Rule.CONTINUOUS_FLOW: "continuous_flow",
    Rule.BURST: "burst",
    Rule.BACKFLOW: "backflow",
    Rule.SILENT: "missing_data",
    Rule.FEED_SILENT: "missing_feed",
    Rule.STUCK: "stuck_meter",
    Rule.NIGHT_FLOW: "night_flow",
    Rule.INTERMITTENT_LEAK: "intermittent_leak",
    Rule.CONGESTION: "congestion",
    Rule.INCIDENT: "incident",
    Rule.SENSOR_FAULT: "detector_malfunction",
    Rule.ZONE_LEAK: "dma_leak",
    Rule.ALERT_FLOOD: "alert_flood",
    Rule.REGISTER: "register_change",
}
"""Rule -> the word for it in labelled recordings."""


class Told:
    """An alert from its raise on.

    Args:
        raised: the alert as it was raised.
    """

    def __init__(self, raised: Alert) -> None:
        self.now = raised
        self._open = raised
        self._tellings = [(raised.raised_at, raised)]

    def take(self, event: AlertEvent) -> None:
        """What became of it."""
        self.now = fold(self.now, event)
        if event.kind is not EventKind.CLEARED:
            self._open = self.now
        if event.kind is EventKind.ESCALATED:
            self._tellings.append((event.at, self.now))

    def lines(self, sensor: Sensor) -> Iterator[dict[str, Any]]:
        """One line for its raise, and one for each rise of its severity."""
        kind = RECORDED_NAMES[self.now.rule]
        if self.now.rule is Rule.STUCK and sensor.domain is Domain.TRAFFIC:
            kind = "stuck_detector"
        ended = ended_at(self.now)
        for at, alert in self._tellings:
            line = {
                "sensor_id": alert.subject,
                "kind": kind,
                "rule": alert.rule.value,
                "started_at": isoformat(to_us(alert.started_at)),
                "detected_at": isoformat(to_us(at)),
                "ended_at": isoformat(to_us(ended)) if ended else None,
                **_said(alert),
            }
            if self._open.version != alert.version:
                line["last"] = _said(self._open)
            if ended:
                line["ended_sentence"] = self.now.sentence
            yield line


def _said(alert: Alert) -> dict[str, Any]:
    return {
        "severity": alert.severity.value,
        "score": alert.score,
        "evidence": dict(alert.evidence),
        "sentence": alert.sentence,
    }

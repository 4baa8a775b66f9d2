"""Decides what each hit, miss and false alarm shows: which sensors, which window, which marks. It refuses to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.detect.scoring import words
from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.case_files import Scored
from services.detect.scoring.drawn_series import RATE, DrawnSeries
from services.detect.scoring.families import Family, finds
from services.detect.scoring.matching import Episode, Hit
from services.detect.scoring.panel import Band, Level, Mark, Panel
from services.detect.scoring.truth import Event, names
from services.domain.instant import DAY_US, HOUR_US, SECOND_US

_SMALL: Final = 96
_SPREADS: Final = ("spread_km_per_h", "sigma_litres_per_h")
"""Numbers of the evidence that say how far from what is usual is usual, too."""
_MOST_BESIDE_MARKS: Final = 60
_LEAST_PAD_US: Final = {"traffic": HOUR_US}
_MOST_SPAN_US: Final = {"traffic": 8 * HOUR_US}


class Pictures:
    """The panels of one scored case."""

    def __init__(self, scored: Scored, series: DrawnSeries) -> None:
        self.scored, self.series = scored, series
        self._pad_us = _LEAST_PAD_US.get(scored.truth.domain, 2 * DAY_US)
        self._most_us = _MOST_SPAN_US.get(scored.truth.domain, 120 * DAY_US)

    def of_hit(self, hit: Hit) -> list[Panel]:
        """The event and the alert that found it."""
        event, alert = hit.event, hit.alert
        end = max(min(event.end_us, event.start_us + self._most_us), alert.detected_us)
        return self._panels(self._sensors(alert), (event.start_us, end), alert, event)

    def of_miss(self, event: Event) -> list[Panel]:
        """The event as its sensors saw it."""
        end = min(event.end_us, event.start_us + self._most_us)
        return self._panels(
            self.series.sensors_of(event.series), (event.start_us, end), None, event
        )

    def of_false_alarm(self, episode: Episode) -> list[Panel]:
        """What the detector took for an event."""
        first, last = episode.alerts[0], episode.alerts[-1]
        start = first.detected_us if first.started_us is None else first.started_us
        start = max(min(start, first.detected_us), first.detected_us - self._most_us)
        end = min(max(last.detected_us, last.ended_us or 0), last.detected_us + self._pad_us)
        return self._panels(self._sensors(first), (start, end), first, None)

    def _sensors(self, alert: AlertLine) -> list[str]:
        own = self.series.sensors_of((alert.sensor_id,))
        return [*own[:1], *self.series.beside(own[0], alert.family)] if own else []

    def _panels(
        self,
        sensors: Sequence[str],
        core: tuple[int, int],
        alert: AlertLine | None,
        event: Event | None,
    ) -> list[Panel]:
        if not sensors:
            return []
        family = alert.family if alert else event.family if event else ""
        evidence = alert.evidence if alert else {}
        metric = evidence.get("metric")
        main = self.series.main_column(sensors[0], str(metric) if metric else None)
        if main is None:
            return []
        pad = max((core[1] - core[0]) // 4, self._pad_us)
        start, end = core[0] - pad, core[1] + pad
        columns = [main]
        if family == Family.MALFUNCTION or (family == Family.STUCK and main != RATE):
            columns += [each for each in self.series.columns(sensors[0]) if each != main]
        zone = ZoneInfo(self.series.sensors[sensors[0]].time_zone)
        own = evidence if main == metric else {}
        return [
            Panel(
                lines=tuple(
                    self.series.line(each, column, start, end)
                    for each in sensors
                    if column in self.series.columns(each)
                ),
                start_us=start,
                end_us=end,
                bands=self._bands(sensors[0], family, start, end, event),
                marks=self._marks(sensors, alert, start, end, zone) if i == 0 else (),
                levels=_levels(own, alert) if i == 0 else (),
                about=(_figure(own.get("value")) or _size(event)) if i == 0 else None,
                zone=zone,
                height=_SMALL if i else 210,
            )
            for i, column in enumerate(columns)
        ]

    def _bands(
        self, sensor_id: str, family: str, start: int, end: int, event: Event | None
    ) -> tuple[Band, ...]:
        truth = self.scored.truth
        bands = [
            Band("unknown", each.start_us, each.end_us)
            for each in truth.ignored
            if names(each.series, sensor_id) and (family in each.families or "*" in each.families)
        ]
        bands += [
            Band("benign", each.start_us, each.end_us)
            for each in truth.benign
            if names(each.series, sensor_id)
        ]
        bands += [
            Band("truth" if each is event or event is None else "other", each.start_us, each.end_us)
            for each in truth.events
            if each is event or (finds(family, each.family) and names(each.series, sensor_id))
        ]
        return tuple(each for each in bands if each.end_us > start and each.start_us < end)

    def _marks(
        self, sensors: Sequence[str], alert: AlertLine | None, start: int, end: int, zone: ZoneInfo
    ) -> tuple[Mark, ...]:
        also = [
            Mark("also", each.detected_us)
            for each in self.scored.alerts
            if each is not alert and each.sensor_id in sensors and start <= each.detected_us <= end
        ][:_MOST_BESIDE_MARKS]
        if alert is None:
            return tuple(also)
        told = Mark("told", alert.detected_us, f"told {words.moment(alert.detected_us, zone)}")
        onset = [] if alert.started_us is None else [Mark("onset", alert.started_us)]
        return (*also, *onset, told)


def _levels(evidence: Any, alert: AlertLine | None) -> tuple[Level, ...]:
    numbers = evidence.get("numbers")
    known = numbers if isinstance(numbers, Mapping) else {}
    spread = next((s for name in _SPREADS if (s := _figure(known.get(name))) is not None), 0.0)
    threshold, usual = _figure(evidence.get("threshold")), _figure(evidence.get("baseline"))
    value = _figure(evidence.get("value")) if threshold is None else None
    found = (("threshold", threshold, 0.0), ("usual", usual, spread), ("measured", value, 0.0))
    window, until = _figure(evidence.get("window_s")), alert.detected_us if alert else None
    since = None if window is None or until is None else until - round(window * SECOND_US)
    return tuple(
        Level(kind, value, wide, since, until if since is not None else None)
        for kind, value, wide in found
        if value is not None
    )


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def _size(event: Event | None) -> float | None:
    """The event's size in the unit of the axis, where the case gives it."""
    return _figure(event.size.get("lph")) if event else None

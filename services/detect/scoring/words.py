"""Says events, false alarms and figures in words, for the terminal and for the page. It refuses to mark up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.figures import Figures
from services.detect.scoring.matching import Episode, Hit
from services.detect.scoring.truth import Event, Truth, names
from services.domain.instant import from_us

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {"lph": "L/h", "litres": "L", "m3h": "m3/h"}
"""Sizes in labelled cases that are said as people say them."""


def span(hours: float | None) -> str:
    """'3.5 min', '22.6 h', '7.1 days'; a dash for None."""
    if hours is None:
        return "-"
    if abs(hours) < 2:
        return f"{60 * hours:.1f} min"
    return f"{hours:.1f} h" if abs(hours) < 72 else f"{hours / 24:.1f} days"


def share(value: float | None) -> str:
    """'.952', '1.000'; a dash for None."""
    return "-" if value is None else f"{value:.3f}".removeprefix("0") if value < 1 else "1.000"


def number(value: float | None) -> str:
    """'1,234', '56.2', '0.31'; a dash for None."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 0.001 else f"{value:.1e}"


def moment(us: int, zone: tzinfo, *, year: bool = False) -> str:
    """'14 Sep 12:30' in the zone."""
    local = from_us(us).astimezone(zone)
    day = f"{local.day} {_MONTHS[local.month - 1]}" + (f" {local.year}" if year else "")
    return f"{day} {local:%H:%M}"


def day(us: int, zone: tzinfo) -> str:
    """'14 Sep' in the zone."""
    local = from_us(us).astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]}"


def places(series: tuple[str, ...]) -> str:
    """The sensors of an event: up to three by name."""
    if "*" in series:
        return "any sensor"
    more = f" and {len(series) - 3} more" if len(series) > 3 else ""
    return ", ".join(series[:3]) + more


def size(facts: Mapping[str, Any]) -> str:
    """'12 L/h, pct of mean inflow 4.5'."""
    parts = []
    for name, value in facts.items():
        shown = number(value) if isinstance(value, float) else str(value)
        unit = _UNITS.get(name)
        parts.append(f"{shown} {unit}" if unit else f"{name.replace('_', ' ')} {shown}")
    return ", ".join(parts)


def event_title(event: Event) -> str:
    """'continuous flow at M003'."""
    return f"{event.kind.replace('_', ' ')} at {places(event.series)}"


def meanwhile(event: Event, alerts: Iterable[AlertLine], truth: Truth) -> str:
    """What else was told at a missed event's sensors while it lasted: 'meanwhile told: burst, silent (2)'."""
    told = Counter(
        each.kind.replace("_", " ")
        for each in alerts
        if event.start_us <= each.detected_us <= event.end_us + truth.grace_us
        and names(event.series, each.sensor_id)
        and (not truth.scored_sensors or each.sensor_id in truth.scored_sensors)
    )
    listed = ", ".join(kind if n == 1 else f"{kind} ({n})" for kind, n in sorted(told.items()))
    return f"meanwhile told: {listed}" if listed else "meanwhile nothing was told"


def miss_line(event: Event, zone: tzinfo) -> str:
    """One line for the terminal: which event nobody was told of."""
    facts = f" ({size(event.size)})" if event.size else ""
    lasted = f"{moment(event.start_us, zone, year=True)} to {moment(event.end_us, zone)}"
    return f"missed {event.id}: {event_title(event)}, {lasted}{facts}"


def false_alarm_line(episode: Episode, zone: tzinfo) -> str:
    """One line for the terminal: what was told without cause."""
    first = episode.alerts[0]
    more = f", {len(episode.alerts) - 1} more close by" if len(episode.alerts) > 1 else ""
    benign = f" during {episode.benign.reason.replace('_', ' ')}" if episode.benign else ""
    told = moment(first.detected_us, zone, year=True)
    text = f"false alarm: {first.kind.replace('_', ' ')} at {first.sensor_id}, told {told}{benign}{more}"
    return f"{text}. {first.sentence}" if first.sentence else text


def hit_delay(hit: Hit) -> str:
    """'22.6 h after its start'."""
    return f"{span(hit.delay_us / 3.6e9)} after its start"


def density(result: Figures, domain: str) -> str:
    """False alarms for the domain's stretch of watching."""
    value = result.per_day if domain == "traffic" else result.per_1000_sensor_days
    return "-" if value is None else f"{value:.2f}"


def density_unit(domain: str) -> str:
    """What `density` counts by."""
    return "per corridor-day" if domain == "traffic" else "per 1,000 meter-days"

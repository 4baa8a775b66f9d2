"""Draws a panel of series around an event as SVG: truth shaded, threshold and baseline, the moment of telling.

Numpy in, text out; colours come from classes of the page's style sheet. It refuses text that is not escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, tzinfo
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.detect.scoring import words
from services.detect.scoring.drawn_series import UNITS, Line
from services.detect.scoring.panel import (
    LEFT,
    TOP,
    WIDTH,
    Panel,
    Scale,
    value_range,
    visible_values,
)
from services.domain.instant import DAY_US, SECOND_US, from_us, to_us

_MINUTE_US: Final = 60 * SECOND_US
_LEAST_LEVEL: Final = 24
"""Pixels of a level that was in force for a moment only."""
_STEPS_US: Final = [
    _MINUTE_US * minutes
    for minutes in (
        1,
        2,
        5,
        10,
        15,
        30,
        60,
        120,
        180,
        360,
        720,
        1440,
        2880,
        7200,
        14400,
        43200,
        86400,
    )
]


def draw(panel: Panel, title: str) -> str:
    """The picture as an SVG element; `title` is read to those who do not see it."""
    low, high, peak = value_range(panel)
    scale = Scale(panel, low, high)
    taken: list[float] = [] if peak is None else [TOP + 4.0, TOP + 18.0]
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {panel.height}" role="img" aria-label="{escape(title)}">',
        *_bands(panel, scale),
        *_value_axis(panel, scale),
        *_time_axis(panel, scale),
        *(_curve(line, scale, i) for i, line in reversed(list(enumerate(panel.lines)))),
        *_levels(panel, scale, taken),
        *_marks(panel, scale),
        *_names(panel, scale, taken),
    ]
    if peak is not None:
        parts.append(_text(scale.right + 6, TOP + 4, "peaks cut off,", "cut", "start"))
        parts.append(_text(scale.right + 6, TOP + 18, f"to {words.number(peak)}", "cut", "start"))
    if not any(len(visible_values(line, panel)) for line in panel.lines[:1]):
        middle = (LEFT + scale.right) / 2
        parts.append(_text(middle, panel.height / 2, "no readings here", "empty", "middle"))
    return "".join([*parts, "</svg>"])


def _bands(panel: Panel, scale: Scale) -> Iterator[str]:
    for band in panel.bands:
        left, right = scale.x(band.start_us), scale.x(band.end_us)
        if band.end_us > panel.start_us and band.start_us < panel.end_us:
            yield (
                f'<rect class="{band.kind}" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" '
                f'height="{scale.bottom - TOP}"/>'
            )


def _curve(line: Line, scale: Scale, order: int) -> str:
    at, values = _thinned(line, scale.right - LEFT)
    path: list[str] = []
    previous: tuple[float, float] | None = None
    for us, value in zip(at, values, strict=True):
        if not np.isfinite(value):
            previous = (scale.x(us), np.nan) if line.steps else None
            continue
        x, y = scale.x(us), scale.y(value)
        if previous is None:
            path.append(f"M{x:.1f} {y:.1f}")
        elif np.isnan(previous[1]):
            path.append(f"M{previous[0]:.1f} {y:.1f}H{x:.1f}")
        elif line.steps:
            path.append((f"V{y:.1f}" if abs(y - previous[1]) > 0.05 else "") + f"H{x:.1f}")
        else:
            path.append(f"L{x:.1f} {y:.1f}")
        previous = (x, y)
    return f'<path class="{"series" if order == 0 else "beside"}" d="{"".join(path)}"/>'


def _thinned(line: Line, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At most four points a pixel column: first, lowest, highest, last; gaps are kept."""
    n = len(line.at_us)
    if n <= 2 * pixels:
        return line.at_us, line.values
    edges = np.linspace(line.at_us[0], line.at_us[-1], pixels + 1)
    cuts = np.unique(np.searchsorted(line.at_us, edges[1:-1]))
    keep: set[int] = {0, n - 1}
    for part in np.split(np.arange(n), cuts):
        values = line.values[part]
        if len(part):
            keep |= {int(part[0]), int(part[-1])}
        if np.isfinite(values).any():
            keep |= {int(part[np.nanargmin(values)]), int(part[np.nanargmax(values)])}
        gaps = part[~np.isfinite(values)]
        keep |= {int(i) for i in gaps}
    chosen = np.array(sorted(keep))
    return line.at_us[chosen], line.values[chosen]


def _value_axis(panel: Panel, scale: Scale) -> Iterator[str]:
    step = _nice((scale.high - scale.low) / 3.5)
    first = np.ceil(scale.low / step - 1e-9) * step
    for value in np.arange(first, scale.high + step * 1e-6, step):
        y = scale.y(float(value))
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{scale.right}"/>'
        yield _text(LEFT - 6, y + 4, words.number(round(float(value), 9) + 0.0), "tick", "end")
    unit = UNITS[panel.lines[0].column] if panel.lines else ""
    yield _text(LEFT - 6, TOP - 8, unit, "tick", "end")


def _nice(step: float) -> float:
    size = 10.0 ** np.floor(np.log10(max(step, 1e-12)))
    return float(next(size * factor for factor in (1, 2, 5, 10) if size * factor >= step * 0.999))


def _time_axis(panel: Panel, scale: Scale) -> Iterator[str]:
    span = panel.end_us - panel.start_us
    step = next((each for each in _STEPS_US if span / each <= 6), _STEPS_US[-1])
    yield f'<path class="axis" d="M{LEFT} {scale.bottom}H{scale.right}"/>'
    dated = ""
    for us in _ticks(panel, step):
        x = scale.x(us)
        date = words.day(us, panel.zone)
        clock = f"{from_us(us).astimezone(panel.zone):%H:%M}"
        label = date if step >= DAY_US or (clock == "00:00" and date != dated) else clock
        if not dated and step < DAY_US:
            label = f"{date} {clock}" if clock != "00:00" else date
        dated = date
        yield f'<path class="axis" d="M{x:.1f} {scale.bottom}v4"/>'
        yield _text(x, scale.bottom + 16, label, "tick", "middle")


def _ticks(panel: Panel, step_us: int) -> Iterator[int]:
    """Local midnight plus multiples of the step, inside the window."""
    local = from_us(panel.start_us).astimezone(panel.zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    at = to_us(midnight)
    while at < panel.start_us:
        at += step_us
    while at <= panel.end_us:
        yield at if step_us < DAY_US else _local_midnight(at, panel.zone)
        at += step_us


def _local_midnight(us: int, zone: tzinfo) -> int:
    """The midnight nearest to the instant: days of 23 or 25 hours shift it."""
    local = (from_us(us) + timedelta(hours=2)).astimezone(zone)
    return to_us(local.replace(hour=0, minute=0, second=0, microsecond=0))


def _levels(panel: Panel, scale: Scale, taken: list[float]) -> Iterator[str]:
    for level in panel.levels:
        y = scale.y(level.value)
        left, right = float(LEFT), float(scale.right)
        if level.since_us is not None and level.until_us is not None:
            left, right = scale.x(level.since_us), scale.x(level.until_us)
            if right - left < _LEAST_LEVEL:
                left, right = max(right - _LEAST_LEVEL, LEFT), max(right, LEFT + _LEAST_LEVEL)
            yield f'<path class="{level.kind} elsewhere" d="M{LEFT} {y:.1f}H{scale.right}"/>'
        if level.spread > 0:
            top, low = scale.y(level.value + level.spread), scale.y(level.value - level.spread)
            yield (
                f'<rect class="spread" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{max(low - top, 1):.1f}"/>'
            )
        yield f'<path class="{level.kind}" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
        word = "limit" if level.kind == "threshold" else level.kind
        place = _free(y + 4, taken)
        yield _text(
            scale.right + 6, place, f"{word} {words.number(level.value)}", level.kind, "start"
        )


def _marks(panel: Panel, scale: Scale) -> Iterator[str]:
    for mark in panel.marks:
        if panel.start_us <= mark.at_us <= panel.end_us:
            x = scale.x(mark.at_us)
            top = scale.bottom - 7 if mark.kind == "also" else TOP
            yield f'<path class="{mark.kind}" d="M{x:.1f} {top}V{scale.bottom}"/>'
            if mark.text:
                side = "end" if x > (scale.right + LEFT) / 2 else "start"
                yield _text(x, TOP - 7, mark.text, mark.kind, side)


def _names(panel: Panel, scale: Scale, taken: list[float]) -> Iterator[str]:
    """The sensors' names at the right end of their lines, where several are drawn."""
    if len(panel.lines) < 2:
        return
    for i, line in enumerate(panel.lines):
        finite = np.flatnonzero(np.isfinite(line.values))
        if len(finite):
            y = _free(scale.y(float(line.values[finite[-1]])) + 4, taken)
            name = line.sensor_id if len(line.sensor_id) <= 13 else f"…{line.sensor_id[-12:]}"
            yield _text(scale.right + 6, y, name, "series" if i == 0 else "beside", "start")


def _free(y: float, taken: list[float]) -> float:
    """The nearest height below or above at which no other label stands; it is then taken."""
    for away in range(0, 200, 4):
        for place in (y + away, y - away):
            if all(abs(place - other) >= 13 for other in taken):
                taken.append(place)
                return place
    return y


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )

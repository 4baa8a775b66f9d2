"""What stands in one picture: lines, shaded stretches, moments, levels, and where they fall on the sheet.

It refuses to draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.detect.scoring.drawn_series import Line

WIDTH: Final = 680
LEFT, RIGHT, TOP, BOTTOM = 50, 92, 20, 22
_CUT_FACTOR: Final = 5.0
"""A peak so many times higher than what the picture is about is cut off, and its height written."""


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time: `kind` is "truth", "unknown" or "benign"."""

    kind: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment: `kind` is "told", "onset" or "also" (another alert of the sensor); `text` is written beside it."""

    kind: str
    at_us: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line: `kind` is "threshold", "usual" or "measured"; `spread` is drawn to either side of it.

    It was in force from `since_us` to `until_us`, and is faint elsewhere: what is usual depends on the hour. None: it
    is the same everywhere.
    """

    kind: str
    value: float
    spread: float = 0.0
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything of one picture.

    Attributes:
        lines: the first is the subject, the others stand beside it.
        start_us, end_us: the window.
        bands, marks, levels: see their types.
        about: the figure that matters (the alert's value), in the unit of the lines; high peaks yield to it.
        zone: of the time axis.
        height: in pixels.
    """

    lines: tuple[Line, ...]
    start_us: int
    end_us: int
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    levels: tuple[Level, ...] = ()
    about: float | None = None
    zone: tzinfo = UTC
    height: int = 210


class Scale:
    def __init__(self, panel: Panel, low: float, high: float) -> None:
        self.panel, self.low, self.high = panel, low, high
        self.right, self.bottom = WIDTH - RIGHT, panel.height - BOTTOM

    def x(self, us: float) -> float:
        width = max(self.panel.end_us - self.panel.start_us, 1)
        place = (us - self.panel.start_us) / width
        return float(LEFT + np.clip(place, 0, 1) * (self.right - LEFT))

    def y(self, value: float) -> float:
        place = (value - self.low) / (self.high - self.low)
        return float(self.bottom - np.clip(place, -0.02, 1) * (self.bottom - TOP))


def visible_values(line: Line, panel: Panel) -> NDArray[np.float64]:
    inside = (line.at_us >= panel.start_us) & (line.at_us <= panel.end_us)
    values = line.values[inside]
    return values[np.isfinite(values)]


def value_range(panel: Panel) -> tuple[float, float, float | None]:
    """Lowest and highest value of the axis, and the height of what is cut off."""
    seen = np.concatenate([np.zeros(0), *(visible_values(line, panel) for line in panel.lines)])
    levels = [level.value for level in panel.levels]
    if not len(seen) and not levels:
        return 0.0, 1.0, None
    low, high = min([*seen, *levels]), max([*seen, *levels])
    from_zero = low >= 0 and low < 0.6 * high
    peak = None
    matter = [abs(each) for each in (panel.about, *levels) if each is not None]
    if from_zero and matter and len(seen):
        enough = max(_CUT_FACTOR * max(matter), float(np.percentile(seen, 75)) * 2)
        if high > 1.4 * enough > 0:
            peak, high = float(high), enough
    low = 0.0 if from_zero else low
    room = 0.06 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - (0.0 if from_zero else room), high + (0.0 if peak else room), peak

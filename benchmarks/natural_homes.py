"""The hourly homes of the practice set as they were before anything was injected: traces to make other cases of.

Where something was put in, the raw recording of the same days takes its place, or the same days of the nearest week
that nothing was done to. Each trace is closed to a ring of 26 weeks, so that it can be turned.
It refuses to look at a detector, and to say what of a home's own use is a leak.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import DAY_US, HOUR_US, parse_time

FIRST_US: Final = parse_time("2016-03-01T00:00:00Z")
WEEKS: Final = 26
WEEK_US: Final = 7 * DAY_US
HOURS: Final = WEEKS * 7 * 24
_KNOWN_H: Final = 3.0
"""What ran between readings so near is laid out evenly; longer holes take another week's hours."""
_RUN_US: Final = 20 * HOUR_US
_GAP_US: Final = 20 * HOUR_US
_REST_US: Final = 14 * DAY_US

Window = tuple[int, int]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """(n,) times in microseconds, ascending, and (n,) litres since the reading before."""

    at_us: Ints
    litres: Floats

    def turned(self, weeks: int, hours: float = 0.0) -> Trace:
        """The same home, begun so many weeks (and hours) later in its ring."""
        moved = (self.at_us - FIRST_US + weeks * WEEK_US + round(hours * HOUR_US)) % (
            WEEKS * WEEK_US
        )
        order = np.argsort(moved, kind="stable")
        return Trace(FIRST_US + moved[order], self.litres[order])

    def scaled(self, factor: float) -> Trace:
        """A household that uses so many times as much."""
        return Trace(self.at_us, self.litres * factor)

    def by_hour(self) -> Floats:
        """(HOURS,) litres of each full hour; holes are filled with the same hours of the nearest week."""
        total = np.cumsum(self.litres)
        grid = FIRST_US + np.arange(HOURS + 1) * HOUR_US
        use = np.diff(np.interp(grid, self.at_us, total))
        after = np.searchsorted(self.at_us, grid[:-1], "right")
        before = self.at_us[np.maximum(after - 1, 0)]
        span = self.at_us[np.minimum(after, len(self.at_us) - 1)] - before
        use[(span > _KNOWN_H * HOUR_US) | (span <= 0)] = np.nan
        for week in range(1, WEEKS):
            if not np.isnan(use).any():
                break
            for way in (week, -week):
                use = np.where(np.isnan(use), np.roll(use, way * 7 * 24), use)
        return np.maximum(np.nan_to_num(use), 0.0)

    def gaps(self) -> list[Window]:
        """Silences of 20 hours and more."""
        long = np.flatnonzero(np.diff(self.at_us) >= _GAP_US)
        found = [(int(self.at_us[i]), int(self.at_us[i + 1])) for i in long]
        ends = (FIRST_US, int(self.at_us[0])), (int(self.at_us[-1]), FIRST_US + WEEKS * WEEK_US)
        return found + [each for each in ends if each[1] - each[0] >= _GAP_US]

    def runs(self) -> list[Window]:
        """Stretches of 20 hours and more in which every reading shows use: a leak for all that anybody knows."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.litres > 0, [0]])))
        starts, ends = edges[::2], edges[1::2]
        began = self.at_us[np.maximum(starts - 1, 0)]
        ended = self.at_us[ends - 1]
        long = ended - began >= _RUN_US
        return [(int(a), int(b)) for a, b in zip(began[long], ended[long], strict=True)]

    def rests(self) -> list[Window]:
        """Stretches of a fortnight and more without use: an absence or a meter that stood still, nobody knows."""
        used = self.at_us[self.litres > 0]
        if not used.size:
            return [(FIRST_US, FIRST_US + WEEKS * WEEK_US)]
        edges = np.concatenate([[FIRST_US], used, [FIRST_US + WEEKS * WEEK_US]])
        long = np.flatnonzero(np.diff(edges) >= _REST_US)
        return [(int(edges[i]), int(edges[i + 1])) for i in long]

    def falls(self) -> list[int]:
        """Moments at which the register was lower than before."""
        return [int(at) for at in self.at_us[self.litres < 0]]

    def calm(self) -> bool:
        """Its own runs and silences leave most of its days to be judged."""
        runs, gaps = (sum(b - a for a, b in each) / DAY_US for each in (self.runs(), self.gaps()))
        return runs <= 20 and gaps <= 14

    def leaks(self) -> bool:
        """It holds a run as large as what is injected into buildings, and nobody knows what it was."""
        inside = [(self.at_us > a) & (self.at_us <= b) for a, b in self.runs()]
        return any(run.sum() >= 12 and float(self.litres[run].min()) >= 25 for run in inside)

    def lived_in(self) -> bool:
        """At most a quarter of its days are without use."""
        return float((self.by_hour().reshape(-1, 24).sum(axis=1) == 0).mean()) <= 0.25

    def heard(self, window: Window) -> float:
        """Readings in the window for each hour of it."""
        inside = np.count_nonzero((self.at_us >= window[0]) & (self.at_us <= window[1]))
        return float(inside / max((window[1] - window[0]) / HOUR_US, 1e-9))


def natural_homes(practice: Path) -> Mapping[str, Trace]:
    """Trace of each home of `practice`/water/ami_hourly, by the name of its meter."""
    case = practice / "water" / "ami_hourly"
    facts = json.loads((case / "truth.json").read_text(encoding="utf-8"))
    raw = _registers(practice / "replay" / "water_daiad.csv.gz")
    homes = {}
    for name, (at, register) in sorted(_registers(case / "readings.csv.gz").items()):
        done = [each for each in (*facts["events"], *facts["benign"]) if name in each["series"]]
        hidden = [_window(each) for each in done if "natural" not in each["kind"]]
        homes[name] = _restored(_trace(at, register), hidden, raw.get(name))
    return homes


def _trace(at_us: Ints, register: Floats) -> Trace:
    inside = at_us < FIRST_US + WEEKS * WEEK_US
    at_us, register = at_us[inside], register[inside]
    return Trace(at_us, np.diff(register, prepend=register[0]))


def _restored(trace: Trace, hidden: Sequence[Window], raw: tuple[Ints, Floats] | None) -> Trace:
    recorded = Trace(raw[0], np.diff(raw[1], prepend=raw[1][0])) if raw is not None else None
    for begin, end in hidden:
        if recorded is not None and recorded.at_us[0] <= begin and end < recorded.at_us[-1]:
            trace = _put(trace, recorded, (begin, end), 0)
            continue
        away = [way * week for week in range(1, WEEKS - 4) for way in (-1, 1)]
        free = [
            weeks * WEEK_US
            for weeks in away
            if begin + weeks * WEEK_US >= trace.at_us[0]
            and end + weeks * WEEK_US < trace.at_us[-1]
            and not any(
                begin + weeks * WEEK_US < other[1] and end + weeks * WEEK_US > other[0]
                for other in hidden
            )
        ]
        heard = [trace.heard((begin + by, end + by)) for by in free]
        best = next((by for by, h in zip(free, heard, strict=True) if h >= 0.95 * max(heard)), None)
        if best is not None:
            trace = _put(trace, trace, (begin, end), best)
    return trace


def _put(trace: Trace, donor: Trace, window: Window, by_us: int) -> Trace:
    """What `donor` used in the window, moved by `by_us`, takes the place of what `trace` says of it."""
    begin, end = window
    moved = donor.at_us - by_us
    first, last = np.searchsorted(moved, [begin, end])
    before, after = trace.at_us < begin, trace.at_us > end
    later = trace.litres[after].copy()
    if later.size and last < len(moved):
        later[0] = donor.litres[last]
    at = np.concatenate([trace.at_us[before], moved[first:last], trace.at_us[after]])
    litres = np.concatenate([trace.litres[before], donor.litres[first:last], later])
    return Trace(at.astype(np.int64), litres)


def _window(event: Mapping[str, Any]) -> Window:
    return parse_time(event["start"]), parse_time(event["end"])


def _registers(file: Path) -> Mapping[str, tuple[Ints, Floats]]:
    found: dict[str, dict[int, float]] = {}
    with gzip.open(file, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["sensor_id"], {})[parse_time(row["time"])] = float(row["value"])
    ordered = {name: sorted(rows.items()) for name, rows in found.items()}
    return {
        name: (np.array([at for at, _ in rows], np.int64), np.array([v for _, v in rows]))
        for name, rows in ordered.items()
    }

"""Fresh labelled cases from real homes: the traces of the practice set turned, scaled, added up, and injected anew.

Each seed draws homes, weeks, sizes and times; kinds and sizes are those of the practice set. Groups: plain homes; homes
that use half, twice, three times as much; registers of 10 L; sums of 2 to 4 homes, which hardly sleep; buildings of 6
to 26 homes, which never do. What the traces hold that could be a leak, a silence, a fall or a stop is not judged, as in
the practice set. It refuses to look at a detector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.case_files import write_files
from benchmarks.natural_homes import FIRST_US, HOURS, WEEK_US, WEEKS, Floats, Trace, Window
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, isoformat
from simulators import truth

_WARM_US: Final = 31 * DAY_US
_APART_US: Final = 3 * DAY_US
_HEARD: Final = 0.7
"""Readings an hour that an event's window has at least: of one that nobody heard nothing can be told."""
_ROLES: Final = "A" * 4 + "B" * 4 + "C" * 2 + "D" * 5 + "V" * 3 + "P" * 2 + "-" * 8
"""What happens to 28 homes: A a leak, a leak with pauses, a silence; B a leak, stuck, backwards; C a leak; D a burst;
V a vacation; P a pool is filled; - nothing."""
_PARTS: Final[Mapping[str, Sequence[str]]] = {
    "A": ("continuous_flow", "intermittent_leak", "missing_data"),
    "B": ("continuous_flow", "stuck_meter", "backflow"),
    "C": ("continuous_flow",),
    "D": ("burst",),
    "V": ("vacation",),
    "P": ("pool_fill",),
    "-": (),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Meters of one sort.

    Attributes:
        scale: of what they use; step: L that the register shows; least: L/h of the smallest leak.
        homes: (least, most) that one meter measures.
    """

    name: str
    meters: int
    scale: float = 1.0
    step: float = 1.0
    least: float = 2.0
    homes: tuple[int, int] = (1, 1)


PLAIN: Final = Group("plain", 28)
VARIED: Final = (
    Group("half", 14, scale=0.5),
    Group("double", 14, scale=2.0),
    Group("triple", 14, scale=3.0),
    Group("by_10_l", 14, step=10.0, least=20.0),
    Group("few_homes", 12, homes=(2, 4)),
    Group("building", 12, homes=(6, 26)),
)


@dataclass(slots=True)
class _Meter:
    name: str
    group: Group
    trace: Trace
    ignored: list[tuple[Window, tuple[str, ...]]]
    homes: tuple[str, ...]
    taken: list[Window] = field(default_factory=list)
    extra: Floats = field(default_factory=lambda: np.empty(0))
    """(n,) litres of leaks on each interval."""
    stopped: list[Window] = field(default_factory=list)
    silent: list[Window] = field(default_factory=list)
    back: list[tuple[Window, float]] = field(default_factory=list)


class Injector:
    """One seed: its meters, events and harmless windows."""

    def __init__(self, homes: Mapping[str, Trace], groups: Sequence[Group], seed: int) -> None:
        self.draw = np.random.default_rng([seed, 31])
        self.homes, self.groups = homes, groups
        self.hours = {name: trace.by_hour() for name, trace in homes.items()}
        self.calm = [name for name, trace in homes.items() if trace.calm()]
        self.whole = [name for name, trace in homes.items() if not trace.leaks()]
        self.lived_in = [name for name in self.calm if homes[name].lived_in()]
        self.events: list[dict[str, object]] = []
        self.benign: list[dict[str, object]] = []
        self.meters = [meter for group in groups for meter in self._of(group)]

    # ---- meters

    def _of(self, group: Group) -> list[_Meter]:
        draw = self.draw
        if group.homes[1] > 1:
            made = [self._sum(group, number) for number in range(group.meters)]
            for meter in made[: 2 * len(made) // 3]:
                mean = float(meter.trace.litres.mean())
                self._add("continuous_flow", meter, mean * float(draw.uniform(0.2, 0.9)))
            return made
        roles = list(_ROLES * (group.meters // len(_ROLES) + 1))
        if group.meters < len(_ROLES):
            roles = roles[:: len(_ROLES) // group.meters]
        roles = roles[: group.meters]
        eventful = list(draw.permutation(self.lived_in))
        others = list(draw.permutation(list(self.homes)))
        made = []
        for number, role in enumerate(roles):
            source = others if role == "-" else eventful
            name = str(source[number % len(source)])
            made.append(self._meter(group, number, name))
        kinds = [(kind, m) for m, role in zip(made, roles, strict=True) for kind in _PARTS[role]]
        for kind in dict.fromkeys(kind for kind, _ in kinds):
            mine = [meter for each, meter in kinds if each == kind]
            ranks = (draw.permutation(len(mine)) + draw.random(len(mine))) / len(mine)
            for meter, rank in zip(mine, ranks.tolist(), strict=True):
                self._add(kind, meter, _size(kind, rank, group))
        return made

    def _meter(self, group: Group, number: int, home: str) -> _Meter:
        weeks, hours = int(self.draw.integers(WEEKS)), float(self.draw.integers(-3, 4))
        trace = self.homes[home].turned(weeks, hours)
        ignored: list[tuple[Window, tuple[str, ...]]] = []
        ignored += [((a, b + DAY_US), ("leak",)) for a, b in trace.runs()]
        ignored += [((a, b + 3 * HOUR_US), ("missing", "stuck")) for a, b in trace.gaps()]
        ignored += [((a, b + DAY_US), ("stuck",)) for a, b in trace.rests()]
        ignored += [((at - 2 * HOUR_US, at + 2 * HOUR_US), ("backflow",)) for at in trace.falls()]
        meter = _Meter(
            f"{group.name}-{number:02d}", group, trace.scaled(group.scale), list(ignored), (home,)
        )
        meter.extra = np.zeros(len(trace.at_us))
        return meter

    def _sum(self, group: Group, number: int) -> _Meter:
        many = int(self.draw.integers(group.homes[0], group.homes[1] + 1))
        few = many <= 4
        drawn = self.draw.choice(self.calm if few else self.whole, many, replace=many > 20)
        names = tuple(str(name) for name in drawn)
        use = np.zeros(HOURS)
        ignored: list[tuple[Window, tuple[str, ...]]] = []
        for name in names:
            weeks = int(self.draw.integers(WEEKS))
            use += np.roll(self.hours[name], weeks * 7 * 24)
            if few:
                runs = self.homes[name].turned(weeks).runs()
                ignored += [((a, b + DAY_US), ("leak",)) for a, b in runs]
        at = FIRST_US + np.arange(1, HOURS + 1) * HOUR_US
        meter = _Meter(f"{group.name}-{number:02d}", group, Trace(at, use), ignored, names)
        meter.extra = np.zeros(HOURS)
        return meter

    # ---- events

    def _add(self, kind: str, meter: _Meter, size: float) -> None:
        window = self._place(meter, self._length_us(kind, meter), kind)
        if window is None:
            return
        told: dict[str, float] = {"lph": round(size, 1)}
        match kind:
            case "continuous_flow" | "burst" | "pool_fill":
                meter.extra += size * self._noise(meter) * _overlap_h(meter, window)
            case "intermittent_leak":
                share = self._pauses(window)
                told["duty"] = round(float(share.mean()), 2)
                meter.extra += size * self._noise(meter) * _running_h(meter, window, share)
            case "stuck_meter" | "vacation":
                meter.stopped.append(window)
                told = {}
            case "missing_data":
                meter.silent.append(window)
                told = {}
            case "backflow":
                meter.back.append((window, size))
                told = {"litres": round(size, 1)}
            case _:
                raise ValueError(kind)
        if kind in ("vacation", "pool_fill"):
            until = window[1] + (DAY_US if kind == "pool_fill" else 0)
            self.benign.append(truth.harmless(kind, [meter.name], (window[0], until)))
            return
        name = f"e{len(self.events)}"
        self.events.append(truth.event(name, kind, [meter.name], window, told))

    def _length_us(self, kind: str, meter: _Meter) -> int:
        draw = self.draw
        longer = (18.0, 30.0) if meter.group.homes[1] > 1 else (7.0, 22.0)
        days = {
            "continuous_flow": longer, "intermittent_leak": (7.0, 14.0), "burst": (9 / 24, 34 / 24),
            "stuck_meter": (22.0, 34.0), "missing_data": (2.0, 7.0), "backflow": (4 / 24, 5.5 / 24),
            "vacation": (6.0, 14.0), "pool_fill": (4.5 / 24, 8 / 24),
        }[kind]  # fmt: skip
        return round(float(draw.uniform(*days)) * DAY_US / (60 * SECOND_US)) * 60 * SECOND_US

    def _place(self, meter: _Meter, length_us: int, kind: str) -> Window | None:
        last_us = FIRST_US + WEEKS * WEEK_US
        for _ in range(60):
            begin = int(
                self.draw.integers(FIRST_US + _WARM_US + DAY_US, last_us - length_us - 2 * DAY_US)
            )
            begin -= begin % (60 * SECOND_US)
            if kind == "pool_fill":
                begin += 9 * HOUR_US + int(self.draw.integers(0, 4)) * HOUR_US - begin % DAY_US
            end = begin + length_us
            free = all(begin > b + _APART_US or end < a - _APART_US for a, b in meter.taken)
            if free and meter.trace.heard((begin, end)) >= _HEARD:
                meter.taken.append((begin, end))
                return begin, end
        return None

    def _noise(self, meter: _Meter) -> Floats:
        noise: Floats = self.draw.normal(1.0, 0.04, len(meter.trace.at_us)).clip(0.8, 1.2)
        return noise

    def _pauses(self, window: Window) -> Floats:
        """(minutes,) 1 while it runs: spells of hours between pauses of about an hour, three quarters of the time."""
        on = np.zeros((window[1] - window[0]) // (60 * SECOND_US))
        share, mean, at = self.draw.uniform(0.7, 0.8), self.draw.uniform(60, 300), 0
        while at < len(on):
            run = max(10, int(self.draw.exponential(mean)))
            on[at : at + run] = 1.0
            at += run + max(5, int(self.draw.exponential(mean * (1 - share) / share)))
        return on

    # ---- readings

    def write(self, folder: Path) -> None:
        """The case as files."""
        rows = sorted(row for meter in self.meters for row in self._readings(meter))
        window = (FIRST_US + _WARM_US, FIRST_US + WEEKS * WEEK_US - HOUR_US)
        ids: list[dict[str, object]] = [
            {"sensor_id": meter.name, "homes": meter.homes} for meter in self.meters
        ]
        facts = truth.case("water", 3600, window, ids, self.events, merge_h=24, grace_h=24)
        ignore = [
            {"series": [m.name], "families": list(f), "start": isoformat(a), "end": isoformat(b)}
            for m in self.meters
            for (a, b), f in m.ignored
        ]
        write_files(folder, rows, facts | {"benign": self.benign, "ignore": ignore})

    def _readings(self, meter: _Meter) -> list[tuple[int, str, str, float]]:
        at, litres = meter.trace.at_us, meter.trace.litres + meter.extra
        for window in meter.stopped:
            litres = np.where((at > window[0]) & (at <= window[1]), 0.0, litres)
        for window, size in meter.back:
            here = _overlap_h(meter, window)
            litres = np.where(here > 0, -size * here / max(float(here.sum()), 1e-9), litres)
        register = float(self.draw.integers(20_000, 600_000)) + np.cumsum(litres)
        step = meter.group.step
        shown = np.floor(register / step + 1e-9) * step
        heard = np.ones(len(at), np.bool_)
        for window in meter.silent:
            heard &= (at <= window[0]) | (at >= window[1])
        return [
            (int(t), meter.name, "register_l", float(v))
            for t, v in zip(at[heard].tolist(), shown[heard].tolist(), strict=True)
        ]


def _overlap_h(meter: _Meter, window: Window) -> Floats:
    """(n,) hours of the window in each interval of the meter."""
    inside = np.clip(meter.trace.at_us, *window)
    hours: Floats = np.diff(inside, prepend=inside[0]) / HOUR_US
    return hours


def _running_h(meter: _Meter, window: Window, on: Floats) -> Floats:
    minutes = (np.clip(meter.trace.at_us, *window) - window[0]) / (60 * SECOND_US)
    ran = np.interp(minutes, np.arange(len(on) + 1), np.concatenate([[0.0], np.cumsum(on)])) / 60
    hours: Floats = np.diff(ran, prepend=ran[0])
    return hours


def _size(kind: str, rank: float, group: Group) -> float:
    """L/h, or litres of backflow; `rank` from 0 to 1 spreads the sizes over their range."""
    match kind:
        case "continuous_flow":
            return group.least * float((120 / group.least) ** rank)
        case "intermittent_leak":
            return 28 + 14 * rank
        case "burst":
            return 250 * float((1200 / 250) ** rank)
        case "pool_fill":
            return 450 + 300 * rank
        case "backflow":
            return max(15.0, 2.5 * group.step) * float((80 / max(15.0, 2.5 * group.step)) ** rank)
        case _:
            return 0.0

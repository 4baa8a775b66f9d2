"""A labelled case of a motorway whose stations begin to count wrong: too few vehicles, too many, more wrong by the day.

`write_case(folder, seed)` writes readings.csv.gz, sensors.json and truth.json in the form of the practice set;
`Road(...)` gives the arrays for other cadences. Vehicles enter, leave and join by ramps whose shares go with the hour,
the weekday and the holiday; evenings have queues, days incidents, messages are lost. Everything follows from
the seed; nothing here knows a detector, and what was not put in is not there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.case_files import write_files
from services.domain.instant import DAY_US, SECOND_US, isoformat, to_us
from simulators import truth

Floats = NDArray[np.float64]
START: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
WARM_DAYS, DAYS = 14, 24
STATIONS: Final = 10
_FREE_KM_PER_H: Final = 108.0
_WORKDAY: Final = (
    .10, .07, .06, .06, .09, .22, .55, .95, 1.0, .78, .68, .68,
    .72, .74, .76, .85, .98, 1.0, .82, .58, .42, .33, .26, .16,
)  # fmt: skip
_WEEKEND: Final = (
    .16, .12, .09, .07, .06, .08, .14, .22, .35, .5, .62, .68,
    .66, .62, .64, .66, .68, .66, .6, .5, .42, .34, .27, .2,
)  # fmt: skip
_VEH_PER_H_LANE: Final = 1500.0
_RAMPS_BEFORE, _INTERCHANGE = (2, 5, 6, 8), 5
"""Stations with ramps before them; at the interchange vehicles leave before one and join behind it."""
_KINDS: Final = (
    ("lost_lane", 0.66, 0.7, 0.0), ("double_counts", 1.4, 1.6, 0.0), ("lost_counts", 0.5, 0.7, 0.0),
    ("drift", 0.5, 0.6, 5.0),
)  # fmt: skip
"""Kind, least and most factor, days of growth."""


@dataclass(frozen=True)
class Fault:
    """A station that counts wrong: `factor` from `begin` to `end` (days); a drift reaches it after `grows` days."""

    kind: str
    station: int
    begin: float
    end: float
    factor: float
    grows: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How the road is watched: seconds between readings, lanes, metres between stations, days from `START` on."""

    step_s: int = 300
    lanes: int = 3
    spacing_m: float = 800.0
    days: int = DAYS


class Road:
    """What ten stations of one road count, as arrays (steps, stations).

    Args:
        faults: drawn from the seed where not given.

    Attributes:
        at_s: (steps,) seconds since `START` at the end of each.
        count, speed, occupancy: vehicles, km/h (NaN where none passed), %.
        sent: bool, the reading arrives.
        holiday: the working day (number) on which nobody works.
    """

    def __init__(
        self, seed: int, plan: Plan = Plan(), faults: tuple[Fault, ...] | None = None
    ) -> None:
        self.plan = plan
        draw = np.random.default_rng([seed, 30])
        self.at_s = np.arange(1, plan.days * 86400 // plan.step_s + 1) * plan.step_s
        day = (self.at_s - plan.step_s / 2) / 86400
        self.holiday = int(draw.integers(WARM_DAYS + 1, WARM_DAYS + 5))
        self.faults = _faults(draw) if faults is None else faults
        true = self._vehicles(draw, day)
        speed = self._speeds(draw, day, true)
        self.count = self._counted(draw, day, true)
        covered = 100 * true * 6.0 / (speed / 3.6 * plan.step_s * plan.lanes)
        self.occupancy = np.minimum(covered * draw.uniform(0.97, 1.03, covered.shape), 95.0)
        self.speed = np.where(true > 0, speed, np.nan)
        self.sent = draw.random(true.shape) > 0.02

    def _vehicles(self, draw: np.random.Generator, day: Floats) -> Floats:
        """True vehicles at each station; ramps lie behind some of them, and an interchange around one."""
        plan, whole, hour = self.plan, day.astype(np.intp), 24 * (day % 1)
        weekend, off = whole % 7 >= 5, whole == self.holiday
        level = [
            np.interp(hour, np.arange(24) + 0.5, each, period=24) for each in (_WEEKEND, _WORKDAY)
        ]
        shape = np.where(weekend | off, level[0], level[1])
        quarter = (day * 96).astype(np.intp)
        noise = np.exp(
            draw.normal(0, 0.04, quarter[-1] + 1)[quarter]
            + draw.normal(0, 0.06, whole[-1] + 1)[whole]
        )
        rate = _VEH_PER_H_LANE * plan.lanes * shape * noise * plan.step_s / 3600
        now = draw.poisson(rate).astype(np.float64)
        columns = []
        for k in range(STATIONS):
            if k in _RAMPS_BEFORE:
                leaves, joins = draw.uniform(0.05, 0.25), draw.uniform(0.04, 0.25)
                peak = 1 + 0.5 * np.sin(2 * np.pi * (hour - draw.uniform(0, 24)) / 24)
                quiet = np.where(
                    weekend, draw.uniform(0.5, 1.1), np.where(off, draw.uniform(0.2, 0.5), 1.0)
                )
                if k != _INTERCHANGE + 1:
                    now = now - draw.binomial(
                        now.astype(np.int64), np.clip(leaves * peak * quiet, 0, 0.6)
                    )
                if k != _INTERCHANGE:
                    now = now + draw.poisson(joins * peak * quiet * rate)
            lag = round(plan.spacing_m * k / (_FREE_KM_PER_H / 3.6) / plan.step_s)
            columns.append(np.roll(now, lag))
        return np.stack(columns, axis=1)

    def _speeds(self, draw: np.random.Generator, day: Floats, true: Floats) -> Floats:
        speed = (
            _FREE_KM_PER_H - 9 * (true / (self.plan.step_s / 3600) / (self.plan.lanes * 1900)) ** 3
        )
        speed = speed + draw.normal(0, 3.0 / np.sqrt(np.maximum(true, 1)) + 1.0, true.shape)
        days = np.arange(2, self.plan.days - 1)
        for evening in draw.choice(days, self.plan.days // 5, replace=False):
            at, last = evening + 17.2 / 24, evening + 18.6 / 24
            here = (day > at) & (day < last)
            speed[here, 3:6] = draw.normal(38, 4, speed[here, 3:6].shape)
        for begin in draw.choice(days, self.plan.days // 6, replace=False):
            at = begin + draw.uniform(7, 18) / 24
            place = int(draw.integers(2, STATIONS - 1))
            here = (day > at) & (day < at + 0.7 / 24)
            true[here, place:] = draw.binomial(true[here, place:].astype(np.int64), 0.55)
            true[here, place - 1] = draw.binomial(true[here, place - 1].astype(np.int64), 0.6)
            speed[here, place - 1] = draw.normal(18, 3, int(here.sum()))
        return np.maximum(speed, 4.0)

    def _counted(self, draw: np.random.Generator, day: Floats, true: Floats) -> Floats:
        share = np.ones_like(true) * draw.uniform(0.93, 1.0, STATIONS)
        extra = np.zeros_like(true)
        for fault in self.faults:
            here = (day >= fault.begin) & (day < fault.end)
            grown = (
                np.clip((day - fault.begin) / fault.grows, 0, 1)
                if fault.grows
                else np.ones_like(day)
            )
            factor = 1 + grown * (fault.factor - 1)
            share[here, fault.station] *= np.minimum(factor, 1.0)[here]
            extra[here, fault.station] = np.maximum(factor - 1.0, 0.0)[here]
        seen = draw.binomial(true.astype(np.int64), share)
        return np.asarray(seen + draw.binomial(seen, extra), np.float64)


def _faults(draw: np.random.Generator) -> tuple[Fault, ...]:
    """A lost lane, double counting, another loss and a drift, at stations that are no neighbours."""
    stations = draw.permutation([1, 3, 5, 7]).tolist()
    found = []
    for place, (kind, low, high, grows) in enumerate(_KINDS):
        begin = WARM_DAYS + float(draw.uniform(0.2, 1.5)) + 1.5 * place
        lasts = 7.0 if grows else float(draw.uniform(1.5, 2.5))
        end = min(begin + lasts, DAYS - 0.3)
        found.append(
            Fault(kind, stations[place], begin, end, float(draw.uniform(low, high)), grows)
        )
    return tuple(found)


def miscounts_case(folder: Path, seed: int = 1) -> tuple[str, Path]:
    """Write the case of a seed below `folder`; its (name, folder)."""
    name = f"simulated/miscounts_{seed}"
    write_case(folder / name, seed)
    return name, folder / name


def write_case(folder: Path, seed: int) -> None:
    """The case of a seed, as files."""
    road = Road(seed)
    plan, names = road.plan, [f"R{k:02d}" for k in range(STATIONS)]
    start_us = to_us(START)
    rows: list[tuple[int, str, str, float]] = []
    for metric, values, digits in (
        ("volume_veh", road.count, 0), ("speed_kmh", road.speed, 1), ("occupancy_pct", road.occupancy, 2),
    ):  # fmt: skip
        told = np.argwhere(road.sent & np.isfinite(values))
        rows += [
            (
                start_us + int(road.at_s[i]) * SECOND_US,
                names[k],
                metric,
                round(float(values[i, k]), digits),
            )
            for i, k in told.tolist()
        ]
    sensors: list[dict[str, object]] = [
        {"sensor_id": name, "position_m": k * plan.spacing_m, "order": k, "lanes": plan.lanes}
        for k, name in enumerate(names)
    ]
    events = [
        {
            "id": f"f{i}", "series": [names[f.station]], "kind": "detector_malfunction", "fault": f.kind,
            "scored": True, "start": _at(f.begin), "end": _at(f.end), "size": {"factor": round(f.factor, 2)},
        }
        for i, f in enumerate(road.faults)
    ]  # fmt: skip
    window = (start_us + WARM_DAYS * DAY_US, start_us + DAYS * DAY_US)
    facts = truth.case("traffic", plan.step_s, window, sensors, events, merge_h=0.5, grace_h=0.1)
    write_files(folder, sorted(rows), facts | {"source": "simulated counts"}, "loop_detector")
    (folder / "sensors.json").write_text(json.dumps({"sensors": sensors}), encoding="utf-8")


def _at(days: float) -> str:
    return isoformat(to_us(START) + round(days * DAY_US))

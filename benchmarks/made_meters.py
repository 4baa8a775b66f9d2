"""Labelled cases of meters read every quarter of an hour, made from simulated households: leaks, faults, absences.

`write_case(folder, seed)` writes readings.csv.gz and truth.json in the form of the practice set. Everything follows
from the seed; nothing here knows a detector. Sizes and lengths are drawn from the ranges of the hourly practice case
(leaks of 2 to 120 L/h, bursts of 250 to 1,200, weeks stuck), and every false alarm is one: what was not put in is not
there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.case_files import write_files
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, isoformat, to_us
from simulators import truth
from simulators.water.households import DAY_MIN, Household, Life

Floats = NDArray[np.float64]
START: Final = datetime(2023, 1, 2, tzinfo=UTC)
WARM_DAYS: Final = 31
DAYS: Final = 150
STEP_MIN: Final = 15
_APART_DAYS: Final = 16
"""Between two events of one meter: the second is not found by what the first left behind."""


@dataclass
class Made:
    """One meter while it is made.

    Attributes:
        used: (minutes,) litres through the pipe, negative for backflow.
        counts: (minutes,) bool: the meter turns.
        speaks: (minutes,) bool: readings arrive.
        taken: (begin, end) in days, of what was put in already.
    """

    name: str
    used: Floats
    resolution: float
    by_interval: bool
    jitter_s: float
    counts: NDArray[np.bool_]
    speaks: NDArray[np.bool_]
    taken: list[tuple[float, float]] = field(default_factory=list)


class Maker:
    """Meters, events and harmless things of one seed."""

    def __init__(self, seed: int, meters: int) -> None:
        self.draw = np.random.default_rng([seed, 15])
        self.start_us = to_us(START)
        self.events: list[dict[str, object]] = []
        self.benign: list[dict[str, object]] = []
        self.meters = [self._meter(number, meters) for number in range(meters)]

    # ---- homes

    def _meter(self, number: int, of: int) -> Made:
        draw, name = self.draw, f"Q{number:03d}"
        there = np.ones(DAYS)
        if number >= of - max(2, of // 14):  # homes that never sleep: many behind one meter
            used = sum(
                (
                    self._household().litres(START.weekday(), self._presence(there.copy()), draw)
                    for _ in range(int(draw.integers(12, 28)))
                ),
                np.zeros(DAYS * DAY_MIN),
            )
        else:
            away = self._absences(name, there)
            used = self._household().litres(START.weekday(), away, draw)
        self._pool(name, used)
        resolution = float(draw.choice([1.0, 1.0, 1.0, 1.0, 0.1, 10.0]))
        minutes = DAYS * DAY_MIN
        meter = Made(
            name, used, resolution, bool(draw.random() < 0.15),
            float(draw.choice([2.0, 40.0, 200.0])), np.ones(minutes, bool), np.ones(minutes, bool),
        )  # fmt: skip
        self._outages(meter)
        return meter

    def _household(self) -> Household:
        draw = self.draw
        life = draw.choice(list(Life), p=[0.5, 0.28, 0.08, 0.06, 0.08])
        return Household(
            people=1 + int(draw.binomial(4, 0.35)) + (6 if life is Life.OFFICE else 0),
            life=Life(life),
            garden=int(draw.integers(15, 45)) if draw.random() < 0.15 else 0,
            softener=bool(draw.random() < 0.1),
        )

    def _presence(self, there: Floats) -> Floats:
        """Some weeks are away, some days have guests."""
        if self.draw.random() < 0.3:
            begin = int(self.draw.integers(0, DAYS - 14))
            there[begin : begin + int(self.draw.integers(3, 14))] = 0.0
        return there

    def _absences(self, name: str, there: Floats) -> Floats:
        draw = self.draw
        if draw.random() < 0.25:
            begin, days = int(draw.integers(WARM_DAYS + 2, DAYS - 16)), int(draw.integers(6, 14))
            there[begin : begin + days] = 0.0
            self._harmless(name, "vacation", begin, begin + days)
        if draw.random() < 0.25:
            begin, days = int(draw.integers(5, DAYS - 10)), int(draw.integers(2, 8))
            there[begin : begin + days] *= float(draw.uniform(1.5, 3.0))
            self._harmless(name, "guests", begin, begin + days)
        return there

    def _pool(self, name: str, used: Floats) -> None:
        draw = self.draw
        if draw.random() < 0.06:
            begin = int(draw.integers(WARM_DAYS, DAYS - 3)) * DAY_MIN + 9 * 60
            length = int(draw.integers(5, 10) * 60)
            used[begin : begin + length] += float(draw.uniform(500, 1200)) / 60
            self._harmless(name, "pool_fill", begin / DAY_MIN, (begin + length) / DAY_MIN)

    def _outages(self, meter: Made) -> None:
        draw = self.draw
        for _ in range(int(draw.poisson(DAYS / 30))):
            begin = int(draw.integers(0, DAYS * DAY_MIN))
            meter.speaks[begin : begin + int(draw.uniform(1, 15) * 60)] = False

    # ---- events

    def _place(self, meter: Made, days: float) -> tuple[int, int] | None:
        """(begin, end) in minutes where nothing was put in yet; None where there is no room."""
        for _ in range(40):
            begin = float(self.draw.uniform(WARM_DAYS + 1, DAYS - days - 2))
            clear = all(
                begin > last + _APART_DAYS or begin + days < first - _APART_DAYS
                for first, last in meter.taken
            )
            if clear:
                meter.taken.append((begin, begin + days))
                return int(begin * DAY_MIN), int((begin + days) * DAY_MIN)
        return None

    def add(self, kind: str, meter: Made, size: float, days: float) -> None:
        """One event at the meter; `size` in L/h, or litres in all for backflow."""
        place = self._place(meter, days)
        if place is None:
            return
        begin, end = place
        minutes = end - begin
        told: dict[str, float] = {}
        match kind:
            case "continuous_flow" | "burst":
                meter.used[begin:end] += size / 60
                told = {"lph": round(size, 1)}
            case "intermittent_leak":
                on = self._flicker(minutes)
                meter.used[begin:end] += size / 60 * on
                told = {"lph": round(size, 1), "duty": round(float(on.mean()), 2)}
            case "backflow":
                meter.used[begin:end] = -size / minutes
                told = {"litres": round(size, 1)}
            case "stuck_meter":
                meter.counts[begin:end] = False
            case "missing_data":
                meter.speaks[begin:end] = False
            case _:
                raise ValueError(kind)
        window = (self._us(begin), self._us(end))
        self.events.append(truth.event(f"e{len(self.events)}", kind, [meter.name], window, told))

    def _flicker(self, minutes: int) -> Floats:
        """(minutes,) 1 while it runs: spells of 20 min to 4 h, between pauses of a third of that."""
        on = np.zeros(minutes)
        at, wanted = 0, float(self.draw.uniform(0.65, 0.8))
        mean = float(self.draw.uniform(30, 180))
        while at < minutes:
            run = max(5, int(self.draw.exponential(mean)))
            on[at : at + run] = 1.0
            at += run + max(3, int(self.draw.exponential(mean * (1 - wanted) / wanted)))
        return on

    def _harmless(self, name: str, kind: str, begin_days: float, end_days: float) -> None:
        window = [self._us(round(days * DAY_MIN)) for days in (begin_days, end_days)]
        self.benign.append(
            {"series": [name], "start": isoformat(window[0]), "end": isoformat(window[1]), "kind": kind}
        )  # fmt: skip

    def _us(self, minute: int) -> int:
        return self.start_us + minute * 60 * SECOND_US

    # ---- readings

    def readings(self, meter: Made) -> list[tuple[int, str, str, float]]:
        """(time, sensor, metric, value) of the meter, in the order of time."""
        draw = self.draw
        through = np.where(meter.counts, meter.used, 0.0)
        register = float(draw.uniform(2e4, 6e5)) + np.concatenate([[0.0], np.cumsum(through)])
        shown = np.floor(register / meter.resolution + 1e-9) * meter.resolution
        count = DAYS * DAY_MIN // STEP_MIN
        phase = 0.0 if meter.by_interval else float(draw.uniform(0, 800))
        at_s = np.arange(count) * STEP_MIN * 60 + phase
        if not meter.by_interval:
            at_s = np.maximum.accumulate(
                at_s + draw.normal(0, meter.jitter_s, count).clip(-420, 420)
            )
        minute = np.clip(at_s / 60, 0, DAYS * DAY_MIN - 1).astype(np.int64)
        value = shown[minute]
        metric = "register_l"
        if meter.by_interval:
            value, metric = np.diff(value, prepend=value[0]), "consumption_l"
        heard = meter.speaks[minute] & (draw.random(count) > 0.01)
        heard &= np.diff(at_s, prepend=-1.0) >= 1.0
        rows = [
            (self.start_us + int(s) * SECOND_US, meter.name, metric, round(float(v), 2))
            for s, v in zip(at_s[heard].tolist(), value[heard].tolist(), strict=True)
        ]
        again = draw.random(len(rows)) < 0.002  # a gateway that repeats itself
        return [
            each for row, twice in zip(rows, again, strict=True) for each in (row,) * (1 + twice)
        ]


def make(seed: int, meters: int = 56) -> Maker:
    """Homes with events of every family: three of five have one or two."""
    maker = Maker(seed, meters)
    draw, homes = maker.draw, list(maker.meters)
    sleepless = homes[meters - max(2, meters // 14) :]
    plain = homes[: len(homes) - len(sleepless)]
    draw.shuffle(plain)
    part = len(plain) // 13
    turn = iter(plain[: part * 8] * 2)
    for kind, number in (
        ("continuous_flow", 5), ("intermittent_leak", 2), ("burst", 3), ("stuck_meter", 2),
        ("missing_data", 2), ("backflow", 2),
    ):  # fmt: skip
        for k in range(number * part):
            meter = next(turn)
            size, days = _size(kind, k / max(number * part - 1, 1), meter, draw)
            maker.add(kind, meter, size, days)
    for meter in sleepless[1:]:  # one stays as it is
        mean = float(meter.used.mean() * 60)
        maker.add(
            "continuous_flow",
            meter,
            mean * float(draw.uniform(0.3, 0.8)),
            float(draw.uniform(18, 26)),
        )
    return maker


def _size(kind: str, rank: float, meter: Made, draw: np.random.Generator) -> tuple[float, float]:
    """Size and days of an event; `rank` from 0 to 1 spreads the sizes over their range."""
    match kind:
        case (
            "continuous_flow"
        ):  # two steps of the register an hour at least, so that it shows at all
            least = max(2.0, 2.0 * meter.resolution)
            return least * (120 / least) ** rank, float(draw.uniform(6, 20))
        case "intermittent_leak":
            return float(draw.uniform(28, 42)), float(draw.uniform(7, 14))
        case "burst":
            return 250.0 * (1200 / 250) ** rank, float(draw.uniform(8, 36)) / 24
        case "stuck_meter":
            return 0.0, float(draw.uniform(20, 34))
        case "missing_data":
            return 0.0, float(draw.uniform(2, 7))
        case _:
            return float(draw.uniform(15, 80)), float(draw.uniform(4, 5.5)) / 24


def write_case(folder: Path, seed: int, meters: int = 56) -> None:
    """The case of a seed, as files."""
    maker = make(seed, meters)
    rows = sorted(row for meter in maker.meters for row in maker.readings(meter))
    window = (maker.start_us + WARM_DAYS * DAY_US, maker.start_us + DAYS * DAY_US - HOUR_US)
    ids: list[dict[str, object]] = [{"sensor_id": meter.name} for meter in maker.meters]
    facts = truth.case("water", STEP_MIN * 60, window, ids, maker.events, merge_h=24, grace_h=24)
    facts |= {"source": "simulated households", "benign": maker.benign}
    write_files(folder, rows, facts)

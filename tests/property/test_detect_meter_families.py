"""Bad input among meters that every rule watches: who is sick says nothing false, who is sound is told the same.

A meter of each family has an event of its family after four weeks of habit: with absurd meters in each batch, and
without them, the same is told of it, and its state ends the same, byte by byte. The absurd ones have learned a habit
too, hourly, in quarters and daily, before their fault begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.table import Array
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Condition, Rule
from services.domain.instant import DAY_US, HOUR_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch, home

DAYS, FROM = 46, 28
HOURS, FROM_H = 24 * DAYS, 24 * FROM
YEARS10 = 3652 * DAY_US
Column = list[tuple[int, float]]
"""(time, register) of one meter in the order of arrival."""


def _sleepless(seed: int) -> Array:
    random = np.random.default_rng(seed)
    of_day = np.where(np.arange(HOURS) % 24 < 6, 0.3, 1.2)
    return np.asarray((random.gamma(6.0, 40.0, HOURS) * of_day).round())


def _with(change: Callable[[Array], None], base: Array | None = None) -> Array:
    use = home(HOURS, 21) if base is None else base
    change(use[FROM_H:])
    return use


def _set(at: slice, value: float) -> Callable[[Array], None]:
    def change(use: Array) -> None:
        use[at] = value

    return change


def _add(at: slice, value: float) -> Callable[[Array], None]:
    def change(use: Array) -> None:
        use[at] += value

    return change


def _drip(use: Array) -> None:
    for pause in (0, 5, 9, 16, 21):
        use[pause::24] = -30.0
    use += 30.0


def _registers(use: Array, every: int = 1) -> Column:
    register = 400_000 + np.cumsum(use)
    return [(START_US + h * HOUR_US, float(register[h])) for h in range(0, HOURS, every)]


def _anew(column: Column) -> Column:
    return [*column[:FROM_H], *((at, v - column[FROM_H][1]) for at, v in column[FROM_H:])]


FAMILIES: Mapping[str, tuple[Rule, Column]] = {
    "continuous": (Rule.CONTINUOUS_FLOW, _registers(_with(_add(slice(None), 15.0)))),
    "night": (Rule.NIGHT_FLOW, _registers(_with(_add(slice(None), 150.0), _sleepless(3)))),
    "intermittent": (Rule.INTERMITTENT_LEAK, _registers(_with(_drip))),
    "burst": (Rule.BURST, _registers(_with(_add(slice(20, 40), 900.0)))),
    "backflow": (Rule.BACKFLOW, _registers(_with(_set(slice(20, 23), -12.0)))),
    "stuck": (Rule.STUCK, _registers(_with(_set(slice(None), 0.0)))),
    "silent": (Rule.SILENT, _registers(home(HOURS, 5))[: FROM_H + 30]),
    "exchanged": (Rule.REGISTER, _anew(_registers(home(HOURS, 6)))),
    "unit": (Rule.SENSOR_FAULT, [
        (at, v / (1000 if i > FROM_H else 1)) for i, (at, v) in enumerate(_registers(home(HOURS, 7)))
    ]),
    "daily": (Rule.NIGHT_FLOW, _registers(_with(_add(slice(None), 40.0)), every=24)),
}  # fmt: skip
"""Name -> what must be told, and the registers. Each event begins after four weeks."""


def _later(change: Callable[[int, int, float], tuple[int, float]]) -> Callable[[Column], Column]:
    """`change` (number since, time, register) each reading after four weeks."""

    def fault(column: Column) -> Column:
        begin = START_US + FROM * DAY_US
        first = next(i for i, (at, _) in enumerate(column) if at >= begin)
        return [
            *column[:first],
            *(change(i, at, v) for i, (at, v) in enumerate(column[first:])),
        ]

    return fault


FAULTS: Mapping[str, Callable[[Column], Column]] = {
    "not-a-number": _later(lambda i, at, v: (at, math.nan)),
    "infinite": _later(lambda i, at, v: (at, math.inf if i % 2 else -math.inf)),
    "now-and-then-no-number": _later(lambda i, at, v: (at, math.nan if i % 3 else v)),
    "constant-for-a-week": _later(lambda i, at, v: (at, v)),
    "one-reading": lambda column: column[:1],
    "two-readings-ten-years-apart": lambda column: [column[0], (column[0][0] + YEARS10, 1e9)],
    "ten-years-without": _later(lambda i, at, v: (at + YEARS10, v)),
    "backwards": _later(lambda i, at, v: (START_US + FROM * DAY_US - i * HOUR_US, v)),
    "a-year-to-and-fro": _later(lambda i, at, v: (at + (i % 3 - 1) * 400 * DAY_US, v)),
    "a-million-million-once": _later(lambda i, at, v: (at, 1e12 if i == 30 else v)),
    "a-million-million-more": _later(lambda i, at, v: (at, v + 1e12)),
    "a-million-million-now-and-then": _later(lambda i, at, v: (at, 1e12 if i % 7 == 3 else v)),
    "beyond-numbers": _later(lambda i, at, v: (at, 1e300 if i % 9 == 8 else v)),
    "negative": lambda column: [(at, v - 2e6) for at, v in column],
    "negative-from-now": _later(lambda i, at, v: (at, -v)),
    "zero-from-now-and-then": _later(lambda i, at, v: (at, 0.0 if i % 5 == 4 else v)),
    "a-thousandth": _later(lambda i, at, v: (at, v / 1000)),
    "to-and-fro-in-units": _later(lambda i, at, v: (at, v / 1000 if i // 30 % 2 else v)),
    "a-hundred-times": _later(lambda i, at, v: (at, v * 100)),
}
EVERY: Mapping[str, float] = {"quarterly": 0.25, "hourly": 1.0, "daily": 24.0}
"""Name -> hours between two readings of the sick meters."""
ALLOWED = {Rule.SILENT, Rule.FEED_SILENT, Rule.SENSOR_FAULT, Rule.REGISTER}
"""A meter that contradicts itself or falls silent is said to; of its water nothing is known."""


def _sick(every: str, seed: int) -> Column:
    step = EVERY[every]
    use, register = home(HOURS, seed), 0.0
    register = 600_000.0
    out = []
    for h in range(HOURS):
        if step < 1:  # all of an hour's use in one of its quarters
            out += [(START_US + h * HOUR_US + q * HOUR_US // 4, register) for q in range(4)]
        elif h % int(step) == 0:
            out.append((START_US + h * HOUR_US, register))
        register += float(use[h])
    return out


def _sensors() -> list[tuple[int, Sensor]]:
    names = [*FAMILIES, *(f"{fault}:{every}" for fault in FAULTS for every in EVERY)]
    return [(n, Sensor(name, SensorKind.WATER_METER)) for n, name in enumerate(names)]


def _feed(faulty: bool) -> list[tuple[int, ReadingBatch]]:
    """(end, readings) of six hours at a time, the sick before and after the sound ones."""
    columns: dict[int, Column] = {}
    for number, sensor in _sensors():
        if sensor.id in FAMILIES:
            columns[number] = FAMILIES[sensor.id][1]
        elif faulty:
            fault, every = sensor.id.split(":")
            columns[number] = FAULTS[fault](_sick(every, 40 + number))
    cuts: dict[int, list[tuple[int, int, int, float]]] = {}
    for number, column in columns.items():
        sent = np.maximum.accumulate(
            [at if abs(at - START_US) < 60 * DAY_US else 0 for at, _ in column]
        )
        for (at, value), when in zip(column, sent.tolist(), strict=True):
            cuts.setdefault(max(when - START_US, 0) // (6 * HOUR_US), []).append(
                (when, number, at, value)
            )
    out = []
    for cut in sorted(cuts):
        rows = sorted(cuts[cut], key=lambda row: (row[0], (row[1] * 7 + cut) % 11))
        _, numbers, at, registers = zip(*rows, strict=True)
        part = batch(Domain.WATER, numbers, at, register_litres=registers)
        out.append((START_US + (cut + 1) * 6 * HOUR_US, part))
    return out


@cache
def _run(faulty: bool) -> tuple[Core, list[Condition]]:
    core = Core(DetectorSettings(), _sensors())
    said: list[Condition] = []
    for end_us, part in _feed(faulty):
        said += core.step(part, 0)
        said += core.tick(end_us)
    return core, said


def _of(said: list[Condition], name: str) -> list[Condition]:
    return [c for c in said if c.subject == name]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_each_family_is_told_among_absurd_meters_as_it_is_without_them(family: str) -> None:
    rule = FAMILIES[family][0]
    want, got = _of(_run(faulty=False)[1], family), _of(_run(faulty=True)[1], family)
    assert rule in {c.rule for c in want}
    assert got == want


@pytest.mark.parametrize("every", list(EVERY))
@pytest.mark.parametrize("fault", list(FAULTS))
def test_no_fault_of_a_meter_with_a_habit_is_a_leak(fault: str, every: str) -> None:
    said = _of(_run(faulty=True)[1], f"{fault}:{every}")
    assert {(c.rule, c.change) for c in said if c.rule not in ALLOWED} == set()
    assert all(math.isfinite(c.score) for c in said)
    assert all(math.isfinite(v) for c in said for v in c.evidence.numbers.values())


def test_no_sound_meter_s_state_has_changed() -> None:
    (alone, _), (together, _) = _run(faulty=False), _run(faulty=True)
    changed = set()
    for number, sensor in _sensors():
        if sensor.id not in FAMILIES:
            continue
        for name, kind, table in alone._tables():
            if name == "said":
                continue  # where the feed's clock was, and no state of the sensor
            row = int(alone._row_of[number])
            if kind is not None and alone._kind[row] != kind:
                continue
            at = np.array([row if kind is None else alone._watch_row[row]])
            other = next(t for n, k, t in together._tables() if (n, k) == (name, kind))
            twin = int(together._row_of[number])
            there = np.array([twin if kind is None else together._watch_row[twin]])
            mine, theirs = table.take(at), other.take(there)
            changed |= {
                f"{sensor.id} {name}.{field}"
                for field in mine
                if mine[field].tobytes() != theirs[field].tobytes()
            }
    assert changed == set()

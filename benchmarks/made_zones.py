"""Zones made of drawn homes and pipes, with leaks whose litres are known: a year, six weeks with pressures, a balance.

A year follows the recipe of LeakDB (Vrachimis et al. 2018: nodes with a weekly and a yearly pattern whose coefficients
are drawn within 10 %, 5 % noise; up to two leaks, abrupt or growing, through a hole of .02 to .2 m, flow
.75 A sqrt(2 g h)) on patterns of our own. It refuses to judge, and to read anything from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.domain.instant import DAY_US, SECOND_US, isoformat, parse_time

Floats = NDArray[np.float64]
Row = tuple[int, str, str, float]

MINUTE_US: Final = 60 * SECOND_US
_YEAR: Final = parse_time("2018-01-01T00:00:00Z")
_SUMMER: Final = parse_time("2026-09-07T00:00:00Z")
_SPRING: Final = parse_time("2026-03-02T00:00:00Z")
_ORIFICE: Final = 0.75
_GRAVITY: Final = 9.81


@dataclass(frozen=True, slots=True)
class MadeZone:
    """A labelled case of one zone.

    Attributes:
        rows: (time, sensor, metric, value) of every reading, in the order of time.
        kinds: of each sensor.
        facts: the truth; sensors: what a service may know.
        first_us, step_us: of `leak`.
        leak: (n,) L/h that leak from the mains.
    """

    rows: list[Row]
    kinds: dict[str, str]
    facts: dict[str, Any]
    sensors: dict[str, Any]
    first_us: int
    step_us: int
    leak: Floats


def _bump(hours: Floats, middle: float, width: float) -> Floats:
    away = (hours - middle + 12) % 24 - 12
    return np.asarray(np.exp(-0.5 * away**2 / width**2), np.float64)


def _homes(hours: Floats, draw: np.random.Generator) -> Floats:
    """(7, n) use of a week's days at n hours of the day, mean 1."""
    morning, evening = draw.uniform(6.5, 9), draw.uniform(18, 21)
    high = draw.uniform(0.5, 1.1), draw.uniform(0.2, 0.5), draw.uniform(0.5, 1.1)
    later, more = draw.uniform(0.5, 2.5), draw.uniform(0.85, 1.15)
    days = []
    for day in range(7):
        rest = day > 4
        use = 0.35 + high[0] * _bump(hours, morning + later * rest, 1.7 + 0.5 * rest)
        use = use + high[1] * _bump(hours, 13, 3) + high[2] * _bump(hours, evening, 2.2)
        days.append(use * (more if rest else 1.0) * (1 + draw.normal(0, 0.02)))
    week = np.array(days)
    return np.asarray(week / week.mean(), np.float64)


def _drawn_anew(pattern: Floats, draw: np.random.Generator) -> Floats:
    """The pattern with each of its Fourier coefficients drawn within 10 %."""
    parts = np.fft.rfft(pattern)
    real, imaginary = draw.uniform(0.9, 1.1, (2, len(parts)))
    return np.fft.irfft(parts.real * real + 1j * parts.imag * imaginary, len(pattern))


def _hole(diameter: Floats, demand: Floats, draw: np.random.Generator, head_m: float) -> Floats:
    """(n,) m3/h through a hole of (n,) m, where the pressure falls with the demand."""
    fall = draw.uniform(1, 9) * (demand / demand.mean()) ** 1.85
    speed = np.sqrt(2 * _GRAVITY * np.maximum(head_m - fall, 5.0))
    return np.asarray(_ORIFICE * np.pi / 4 * diameter**2 * speed * 3600)


def year(seed: int) -> MadeZone:
    """Half-hourly inflow of a year, with no, one or two leaks."""
    draw = np.random.default_rng([2018, seed])
    nodes = int(draw.choice([12, 31, 31, 120]))
    n, day = 365 * 48, 48
    week = _homes(np.arange(day) / 2, draw).ravel() - 1.0
    turn = np.arange(n) / n * 2 * np.pi
    season = draw.uniform(0.02, 0.15) * np.cos(turn - draw.uniform(0, 2 * np.pi))
    season += draw.uniform(0, 0.06) * np.cos(2 * turn - draw.uniform(0, 2 * np.pi))
    size = draw.lognormal(0, 0.8, nodes)
    size *= draw.choice([200.0, 1000.0, 5500.0]) / size.sum()
    place = np.arange(n) % len(week)
    demand = np.zeros(n)
    for share in size:
        swing = 1 + (0.85 + draw.normal(0, 0.07)) * _drawn_anew(week, draw)[place]
        yearly = 1 + _drawn_anew(season, draw)
        demand += share * yearly * np.maximum(swing, 0.02) * (1 + draw.normal(0, 0.05, n))
    leak, events = np.zeros(n), []
    widest = 0.2 * np.sqrt(size.sum() / 5500)
    for number in range(int(draw.choice(3, p=[0.25, 0.4, 0.35]))):
        begin = int(draw.uniform(21 * day, n - 3 * day))
        end = int(draw.uniform(begin + day, n))
        peak = begin if draw.random() < 0.5 else int(draw.uniform(begin + 1, end))
        hole = np.zeros(n)
        hole[begin:end] = draw.uniform(0.1, 1.0) * widest
        hole[begin:peak] *= np.linspace(0, 1, peak - begin)
        flow = _hole(hole, demand, draw, 66.0)
        leak += flow
        by = begin + 7 * day if peak == begin else min(peak, begin + 45 * day)
        events.append(
            _event(f"{seed}_{number}", _window(_YEAR, 30, begin, end), flow, demand)
            | {"detect_by": isoformat(_YEAR + min(by, end) * 30 * MINUTE_US)}
        )
    inflow = np.round(demand + leak, 1)
    at = _YEAR + np.arange(n) * 30 * MINUTE_US
    rows = [(t, "INLET", "flow_m3h", v) for t, v in zip(at.tolist(), inflow.tolist(), strict=True)]
    facts = _facts(f"year_{seed}", 1800, _YEAR + 14 * DAY_US, int(at[-1]), events)
    facts |= {"one_to_one": True, "dup_days": 7, "match_grace_hours": 5}
    return MadeZone(rows, {"INLET": "dma_inflow"}, facts, {}, _YEAR, 30 * MINUTE_US, leak * 1000.0)


def six_weeks(seed: int) -> MadeZone:
    """Quarter-hourly inflow, a pump that fills a tank, and pressures; a holiday, a flushed hydrant, lost readings."""
    draw = np.random.default_rng([42, seed])
    n, day = 42 * 96, 96
    hours = np.arange(day) / 4
    mean = draw.uniform(90, 320)
    holiday = day * int(draw.choice([16, 17, 18, 22, 23, 24, 29, 30, 31, 36, 37, 38]))
    demand = np.zeros(n)
    for share in draw.dirichlet(np.full(12, 3.0)):
        part = np.tile(_homes(hours, draw).ravel(), 6)
        part[holiday : holiday + day] = part[6 * day : 7 * day]
        demand += share * mean * part * (1 + _wandering(n, 0.7, draw.uniform(0.04, 0.09), draw))
    weather = np.repeat(_wandering(42, 0.6, draw.uniform(0.005, 0.02), draw), day)
    demand *= (1 + weather) * (1 + draw.uniform(-0.0015, 0.002) * np.arange(n) / day)
    kind = ("abrupt", "growing", "burst", "none")[seed % 4]
    leak, events = np.zeros(n), []
    if kind != "none":
        size = mean / 180 * draw.uniform(*{"burst": (28, 42)}.get(kind, (8, 25)))
        days = draw.uniform(*{"abrupt": (5, 14), "growing": (12, 20), "burst": (0.6, 3)}[kind])
        begin = int(draw.integers(15 * day, 33 * day))
        end = min(int(begin + days * day), n - 1)
        leak[begin:end] = size
        if kind == "growing":
            peak = int(begin + (end - begin) * draw.uniform(0.5, 0.9))
            leak[begin:peak] *= np.linspace(0, 1, peak - begin) ** 2
        events.append(_event(str(seed), _window(_SUMMER, 15, begin, end), leak, demand))
    flushed = np.zeros(n)
    hydrant = day * int(draw.integers(15, 41)) + int(draw.integers(32, 56))
    flushed[hydrant : hydrant + 6] = 35 * mean / 180
    fills = _tank(0.12 * demand, draw)
    total = 0.88 * demand + fills + leak + flushed
    series = {
        "INLET": ("dma_inflow", "flow_m3h", total * (1 + draw.normal(0, 0.01, n))),
        "PUMP": ("pump", "flow_m3h", fills * (1 + draw.normal(0, 0.01, n))),
    }
    for number in range(6):
        drop = draw.uniform(0.3, 2.5) * (total / mean) ** 1.85
        near = draw.uniform(0.2, 6) * (leak / mean)
        kept = draw.uniform(30, 55) - drop - near + draw.normal(0, 0.05, n)
        series[f"P{number}"] = ("pressure", "pressure_m", kept)
    rows = []
    for name, (_, metric, values) in series.items():
        lost = draw.random(n) < 0.003
        hole = int(draw.integers(0, n - 24))
        lost[hole : hole + int(draw.integers(0, 20))] = True
        rows += [
            (_SUMMER + i * 15 * MINUTE_US, name, metric, round(float(values[i]), 2))
            for i in np.flatnonzero(~lost).tolist()
        ]
    facts = _facts(f"weeks_{seed}", 900, _SUMMER + 14 * DAY_US, _SUMMER + 42 * DAY_US, events)
    facts["benign"] = [
        _window(_SUMMER, 15, hydrant, hydrant + 6, "hydrant_flushing"),
        _window(_SUMMER, 15, holiday, holiday + day, "public_holiday"),
    ]
    kinds = {name: kind for name, (kind, _, _) in series.items()}
    return MadeZone(sorted(rows), kinds, facts, {}, _SUMMER, 15 * MINUTE_US, leak * 1000.0)


def balance(seed: int) -> MadeZone:
    """Hourly meters of homes and their inlet, eight weeks: lost readings, silent, missing and 1000-fold meters."""
    draw = np.random.default_rng([7, seed])
    homes, n = int(draw.choice([25, 40, 60])), 56 * 24
    hour, rest = np.arange(n) % 24, np.arange(n) // 24 % 7 > 4
    use = np.zeros((homes, n))
    for home in range(homes):
        week = _homes(np.arange(24.0), draw)
        busy = draw.lognormal(0, 0.5)
        chance = np.minimum(0.25 * np.where(rest, week[6][hour], week[0][hour]) * busy, 0.95)
        use[home] = np.round((draw.random(n) < chance) * draw.gamma(1.2, 14 * busy, n))
        if draw.random() < 0.15:
            away = int(draw.integers(0, n - 300))
            use[home, away : away + int(draw.integers(48, 300))] = 0
    total, leak, events = use.sum(axis=0), np.zeros(n), []
    if seed % 4:
        begin = int(draw.integers(16 * 24, 40 * 24))
        end = min(begin + int(draw.integers(5 * 24, 18 * 24)), n - 1)
        leak[begin:end] = draw.uniform(0.08, 0.35) * total.mean()
        events.append(
            _event(str(seed), _window(_SPRING, 60, begin, end), leak / 1000, total / 1000)
        )
    unseen = draw.uniform(0.04, 0.16) * total.mean() * (1 + 0.1 * draw.normal(0, 1, n))
    inlet = np.floor((total + unseen + leak) * (1 + draw.normal(0, 0.01, n)) / 10) * 10
    wrong, silent = int(draw.integers(homes)), int(draw.integers(homes))
    since = int(draw.integers(16 * 24, 45 * 24))
    at = (_SPRING + np.arange(n) * 60 * MINUTE_US).tolist()
    rows: list[Row] = [(at[i], "INLET", "volume_l", float(inlet[i])) for i in range(n)]
    for home in range(homes):
        if seed % 4 == 2 and home % 20 == 7:
            continue  # never had a meter
        counted, lost = use[home], draw.random(n) < 0.01
        if seed % 3 == 1 and home == wrong:
            counted[since : since + 72] *= 1000.0
        if seed % 3 == 0 and home == silent:
            lost[since:] = True
        register = seed % 2 == 1  # what a gap loses comes with the next reading
        values = np.cumsum(counted) if register else counted
        metric = "register_l" if register else "consumption_l"
        rows += [
            (at[i], f"M{home:03d}", metric, float(values[i]))
            for i in np.flatnonzero(~lost).tolist()
        ]
    names = sorted({name for _, name, _, _ in rows} - {"INLET"})
    facts = _facts(f"balance_{seed}", 3600, _SPRING + 14 * DAY_US, at[-1], events)
    facts["score_sensors"] = ["INLET"]
    known = {
        "sensors": [{"sensor_id": "INLET", "dma": "A", "role": "inlet"}],
        "dma": {"A": {"inlets": ["INLET"], "customers": "M*"}},
    }
    kinds = {"INLET": "dma_inflow"} | dict.fromkeys(names, "customer_meter")
    return MadeZone(sorted(rows), kinds, facts | known, known, _SPRING, 60 * MINUTE_US, leak)


def _wandering(n: int, keeps: float, spread: float, draw: np.random.Generator) -> Floats:
    """(n,) values that keep a share of the one before, of the given spread."""
    steps = draw.normal(0, spread * np.sqrt(1 - keeps**2), n)
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = keeps * out[i - 1] + steps[i]
    return out


def _tank(use: Floats, draw: np.random.Generator) -> Floats:
    """(n,) m3/h of the pump that fills a tank from 35 to 80 %, for (n,) m3/h drawn from it."""
    rate, volume = 2.2 * use.mean(), draw.uniform(6, 14) * use.mean()
    level, on, out = volume / 2, False, np.zeros(len(use))
    for i, drawn in enumerate(use):
        on = level < 0.35 * volume or (on and level <= 0.8 * volume)
        out[i] = rate * on
        level += (out[i] - drawn) / 4
    return out


def _window(
    first_us: int, minutes: int, begin: int, end: int, kind: str = "dma_leak"
) -> dict[str, Any]:
    step = minutes * MINUTE_US
    start, stop = isoformat(first_us + begin * step), isoformat(first_us + end * step)
    return {"series": ["*"], "start": start, "end": stop, "kind": kind}


def _event(name: str, window: dict[str, Any], flow: Floats, demand: Floats) -> dict[str, Any]:
    share = 100 * float(flow.max() / demand.mean())
    size = {"m3h": round(float(flow.max()), 3), "pct_of_mean_inflow": round(share, 2)}
    return {"id": name, **window, "size": size, "scored": True}


def _facts(
    name: str, interval_s: int, start_us: int, end_us: int, events: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "case": name,
        "domain": "water",
        "interval_s": interval_s,
        "eval_start": isoformat(start_us),
        "eval_end": isoformat(end_us),
        "sensors": [],
        "fa_merge_hours": 24,
        "match_grace_hours": 6,
        "events": events,
        "ignore": [],
        "benign": [],
    }

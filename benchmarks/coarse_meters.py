"""Labelled cases of hourly and finer meters as if they had been read every 6 hours, twice a day, daily or about weekly.

Same homes, same truth: of each register the last reading before a planned moment is kept; the moments of a meter lie
at a phase of its own (weekly ones 5 to 9 days apart), all from the seed. Volumes are added up to a register first. Of
the truth only what left a trace in the kept readings is scored: backflow that made a kept register fall, and a
silence in which two planned readings in a row are lost. It refuses to look at a detector, and to add an event.
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

from benchmarks.case_files import write_files
from services.domain.instant import HOUR_US, isoformat, parse_time

_AT_HAND: Final = 0.5
"""Share of the cadence by which the reading that is kept may be older than its planned moment."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often meters are read.

    Attributes:
        hours: between two readings; spread_h: by so much more or less, evenly.
    """

    name: str
    hours: float
    spread_h: float = 0.0


TWICE_A_DAY: Final = Cadence("12h", 12)
DAILY: Final = Cadence("daily", 24)
CADENCES: Final = (Cadence("6h", 6), TWICE_A_DAY, DAILY, Cadence("weekly", 168, 48))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of one meter: (n,) planned moments and (n,) time and register of what is kept of them, NaN for a lost reading."""

    planned_us: NDArray[np.int64]
    at_us: NDArray[np.int64]
    register: NDArray[np.float64]


def coarse_case(source: Path, folder: Path, cadence: Cadence, seed: int) -> None:
    """Write the case of `source` anew, read at the cadence."""
    facts = json.loads((source / "truth.json").read_text(encoding="utf-8"))
    kept: dict[str, _Kept] = {}
    for number, (name, (at, register)) in enumerate(sorted(_registers(source).items())):
        draw = np.random.default_rng([seed, number, round(cadence.hours)])
        kept[name] = _read(at, register, cadence, draw)
    rows = sorted(
        (int(at), name, "register_l", float(value))
        for name, meter in kept.items()
        for at, value in zip(meter.at_us, meter.register, strict=True)
        if np.isfinite(value)
    )
    grace_h = max(float(facts.get("match_grace_hours", 24)), cadence.hours + cadence.spread_h)
    facts |= {
        "case": folder.name,
        "interval_s": round(cadence.hours * 3600),
        "match_grace_hours": grace_h,
        "ignore": [_longer(each, cadence) for each in facts["ignore"]],
        "events": [
            event | {"scored": event.get("scored", True) and _told(event, kept)}
            for event in facts["events"]
        ],
    }
    write_files(folder, rows, facts)


def _longer(window: Mapping[str, Any], cadence: Cadence) -> Mapping[str, Any]:
    """Of whose truth nobody knows, nobody knows it until the next reading either."""
    late_us = round((cadence.hours + cadence.spread_h) * HOUR_US)
    return {**window, "end": isoformat(parse_time(window["end"]) + late_us)}


def _registers(
    source: Path,
) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    volumes = set()
    with gzip.open(source / "readings.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            name = row["sensor_id"]
            found.setdefault(name, []).append((parse_time(row["time"]), float(row["value"])))
            if row["metric"] != "register_l":
                volumes.add(name)
    out = {}
    for name, rows in found.items():
        ordered = sorted(dict(rows).items())
        value = np.array([v for _, v in ordered])
        at = np.array([t for t, _ in ordered], np.int64)
        out[name] = at, 10_000.0 + np.cumsum(value) if name in volumes else value
    return out


def _read(
    at_us: NDArray[np.int64], register: NDArray[np.float64], cadence: Cadence, draw: np.random.Generator
) -> _Kept:  # fmt: skip
    span_us = int(at_us[-1] - at_us[0])
    most = int(span_us / ((cadence.hours - cadence.spread_h) * HOUR_US)) + 2
    steps = cadence.hours + draw.uniform(-1, 1, most) * cadence.spread_h
    moments = (draw.uniform(0, cadence.hours) + np.cumsum(steps) - steps[0]) * HOUR_US
    planned = at_us[0] + moments[moments <= span_us].astype(np.int64)
    place = np.maximum(np.searchsorted(at_us, planned, "right") - 1, 0)
    age = planned - at_us[place]
    heard = (age >= 0) & (age <= _AT_HAND * cadence.hours * HOUR_US)
    return _Kept(planned, at_us[place], np.where(heard, register[place], np.nan))


def _told(event: Mapping[str, Any], kept: Mapping[str, _Kept]) -> bool:
    """Whether the kept readings could tell of the event at all."""
    begin, end = parse_time(event["start"]), parse_time(event["end"])
    return any(_shows(event["kind"], kept[name], begin, end) for name in _series(event, kept))


def _series(event: Mapping[str, Any], kept: Mapping[str, _Kept]) -> Sequence[str]:
    return [name for name in event["series"] if name in kept]


def _shows(kind: str, meter: _Kept, begin_us: int, end_us: int) -> bool:
    if kind == "backflow":
        here = np.isfinite(meter.register)
        at, register = meter.at_us[here], meter.register[here]
        touched = (at[1:] > begin_us) & (at[:-1] < end_us)
        return bool((touched & (np.diff(register) < 0)).any())
    if kind == "missing_data":
        lost = np.isnan(meter.register) & (meter.planned_us >= begin_us)
        lost &= meter.planned_us <= end_us
        return bool((lost[1:] & lost[:-1]).any())
    return True

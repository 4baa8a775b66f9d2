"""False alarms and leaks in a year with holidays: hourly meters of homes that go away, stay up and have guests.

python -m benchmarks holidays [-- --homes 60 --seed 1]  ->  build/bench/holidays.json. Holiday weeks are those with a
public or school holiday or a festival (`simulators/water/year.py`), the others ordinary ones; leaks begin
in both. Everything that is told and no leak is a false alarm. The first nine weeks are the warm-up.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.case_files import write_files
from services.detect.recorded.backtest import run_case
from services.detect.scoring.alert_lines import parse_alerts
from services.detect.scoring.case_files import read_truth
from services.detect.scoring.matching import Matching, match
from services.domain.instant import DAY_US, HOUR_US, to_us
from simulators import truth
from simulators.water.households import DAY_MIN, Household, Life
from simulators.water.year import HolidayYear

CASE: Final = report.FOLDER / "holidays"
_YEAR, _ZONE = 2025, "Europe/Berlin"
_WARM_DAYS: Final = 63
_LEAKS: Final = 0.5
"""Of the homes have one leak."""


@dataclass(frozen=True, slots=True)
class Made:
    """The calendar of a case, and the instant of its first midnight."""

    year: HolidayYear
    start_us: int


def write_year(folder: Path, homes: int, seed: int) -> Made:
    """Write readings.csv.gz and truth.json of a year; half of the leaks begin in holiday weeks."""
    year, draw = HolidayYear(_YEAR, seed), np.random.default_rng([seed, 78])
    start_us = to_us(datetime(_YEAR, 1, 1, tzinfo=ZoneInfo(_ZONE)))
    rows: list[tuple[int, str, str, float]] = []
    events: list[dict[str, object]] = []
    for number in range(homes):
        name = f"H{number:03d}"
        used = _home(year, draw)
        if number < homes * _LEAKS:
            begin, minutes = (
                _moment(year, draw, number % 2 == 0),
                int(draw.integers(6, 16)) * DAY_MIN,
            )
            rate = float(np.exp(draw.uniform(np.log(4), np.log(120))))
            used[begin : begin + minutes] += rate / 60
            window = (start_us + begin * 60_000_000, start_us + (begin + minutes) * 60_000_000)
            events.append(
                truth.event(
                    f"e{number}", "continuous_flow", [name], window, {"lph": round(rate, 1)}
                )
            )
        register = np.floor(50_000 + np.cumsum(used))[59::60]
        rows += [
            (start_us + (hour + 1) * HOUR_US, name, "register_l", float(value))
            for hour, value in enumerate(register.tolist())
        ]
    window = (start_us + _WARM_DAYS * DAY_US, start_us + year.days * DAY_US)
    ids: list[dict[str, object]] = [
        {"sensor_id": f"H{number:03d}", "time_zone": _ZONE} for number in range(homes)
    ]
    facts = truth.case("water", 3600, window, ids, events, merge_h=24, grace_h=24)
    write_files(folder, sorted(rows), facts)
    (folder / "sensors.json").write_text(json.dumps({"sensors": ids}) + "\n")
    return Made(year, start_us)


def _home(year: HolidayYear, draw: np.random.Generator) -> NDArray[np.float64]:
    """(minutes,) litres of one home by UTC."""
    life = Life(draw.choice([Life.WORK, Life.HOME, Life.SHIFT], p=[0.6, 0.32, 0.08]))
    home = Household(
        1 + int(draw.binomial(4, 0.35)),
        life,
        int(draw.integers(15, 45)) if draw.random() < 0.15 else 0,
    )
    spent = year.of_home(draw)
    local = home.litres(
        year.first.weekday(), spent.there, draw, restful=spent.restful, late=year.late()
    )
    return year.by_clock(local, _ZONE)


def _moment(year: HolidayYear, draw: np.random.Generator, holiday: bool) -> int:
    """A minute after the warm-up in a holiday week, or in an ordinary one."""
    days = np.arange(_WARM_DAYS, year.days - 18)
    return int(draw.choice(days[year.holiday[days] == holiday])) * DAY_MIN + int(
        draw.integers(0, DAY_MIN)
    )


def figures(made: Made, matching: Matching, homes: int) -> list[list[report.Cell]]:
    """A row for the ordinary weeks and one for the holiday weeks."""
    days = np.arange(_WARM_DAYS, made.year.days)

    def holiday(at_us: int) -> bool:
        day = min(max((at_us - made.start_us) // DAY_US, 0), made.year.days - 1)
        return bool(made.year.holiday[day])

    rows: list[list[report.Cell]] = []
    for which, name in ((False, "ordinary weeks"), (True, "holiday weeks")):
        meter_days = homes * int((made.year.holiday[days] == which).sum())
        wrong = [e for e in matching.false_alarms if holiday(e.alerts[0].detected_us) == which]
        found = sorted(
            h.delay_us / HOUR_US for h in matching.hits if holiday(h.event.start_us) == which
        )
        missed = sum(holiday(event.start_us) == which for event in matching.misses)
        rows.append(
            [
                name, meter_days, len(wrong), 1000 * len(wrong) / meter_days,
                f"{len(found)} of {len(found) + missed}", found[len(found) // 2] if found else None,
            ]
        )  # fmt: skip
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Make the year, run the detectors over it, print both kinds of weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    made = write_year(CASE, chosen.homes, chosen.seed)
    alerts = parse_alerts(json.dumps(line) for line in run_case(CASE))
    matching = match(read_truth(CASE), alerts)
    head = (
        "hourly meters",
        "meter-days",
        "false alarms",
        "per 1,000 meter-days",
        "leaks found",
        "median h",
    )
    rows = figures(made, matching, chosen.homes)
    print(report.table("A year with holidays", head, rows))
    report.write("holidays", {"rows": [dict(zip(head, row, strict=True)) for row in rows]})


if __name__ == "__main__":
    main()

"""Zones on cases that were never looked at: drawn from seeds, judged as the labelled recordings are.

python -m benchmarks zone_seeds [-- --first 500 --years 16 --weeks 24 --balances 16]  ->  build/bench/zone_seeds.json.
*Without a leak* counts alerts told while nothing leaks nor has for a day; the scorer's false alarms also hold a leak
that was told late, or once more as it grew. *Rate* and *litres* are the medians of |told / true - 1| of the leaks told.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks import report
from benchmarks.judged_zones import KINDS, Told, told
from services.detect.scoring.figures import pool
from services.detect.scoring.samples import pool_samples


def row(work: str, cases: list[Told]) -> list[report.Cell]:
    """The line of one kind of work."""
    whole = pool(case.scored.whole for case in cases)
    by_sample = pool_samples([case.by_sample for case in cases])
    days = sum(case.days for case in cases)
    return [
        work, len(cases), f"{whole.found} of {whole.events}", whole.precision,
        whole.skill if cases[0].scored.truth.one_to_one else None, by_sample.f_score,
        sum(case.without for case in cases),
        1000 * sum(case.without for case in cases) / days, whole.median_h,
        _median(each for case in cases for each in case.rates),
        _median(each for case in cases for each in case.litres),
    ]  # fmt: skip


def _median(errors: Iterable[float]) -> float | None:
    found = np.abs(np.array(list(errors)))
    return float(np.median(found)) if found.size else None


def main(arguments: list[str] | None = None) -> None:
    """Make, run and score every case, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=500, help="the first seed")
    parser.add_argument("--years", type=int, default=16)
    parser.add_argument("--weeks", type=int, default=24)
    parser.add_argument("--balances", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cases at a time")
    chosen = parser.parse_args(arguments)
    numbers = dict(zip(KINDS, (chosen.years, chosen.weeks, chosen.balances), strict=True))
    with ProcessPoolExecutor(max(1, chosen.jobs)) as workers:
        waiting = {
            work: [workers.submit(told, work, chosen.first + i) for i in range(number)]
            for work, number in numbers.items()
        }
        rows = [
            row(work, [each.result() for each in jobs]) for work, jobs in waiting.items() if jobs
        ]
    head = (
        "zones", "cases", "leaks found", "precision", "skill", "F", "without a leak",
        "per 1,000 zone-days", "median h", "rate", "litres",
    )  # fmt: skip
    print(report.table(f"Zones drawn from seeds {chosen.first} on", head, rows))
    report.write("zone_seeds", {"rows": [dict(zip(head, each, strict=True)) for each in rows]})


if __name__ == "__main__":
    main()

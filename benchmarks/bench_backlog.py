"""A backlog and a burst: how fast ingest catches up, in how much memory of each process, and who waits meanwhile.

Backlog: readings wait at the broker while no worker runs; then one starts while new readings keep coming. Burst: ten
times the usual rate for a while. Overload: for a while as much as the broker takes, beside the usual rate. Every run
has a fresh broker with its queue bounded as deploy/ does; delays are from publishing to commit. Ratios of one run
travel, absolute figures do not.

    python -m benchmarks backlog [-- --readings 5000000 --burst-s 600]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks import report
from benchmarks.load import Plan
from benchmarks.payloads import FIRST_VALUE, FORMS, WARM_VALUE, Form
from benchmarks.peers.tables import SERVER_SETTINGS
from benchmarks.site import (
    SENSORS,
    Cost,
    await_subscription,
    done,
    go,
    make_template,
    site,
    wait_for,
)
from services.embedded.database import EmbeddedDatabase

LIVE_VALUE: Final = 9_000_000
"""Value of the first reading that is published while the backlog is drained."""
LONGEST_S: Final = 1_800.0
_LIVE_MOST: Final = 900_000
_PACKETS: Final = 4 * 65_535
_LEAD_S: Final = 3.0
_SILENCE_S: Final = 120.0
"""While it writes a snapshot of a long queue the broker answers nobody: 1.5 s a million messages on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one run came to.

    Attributes:
        readings: that were published.
        readings_per_s: of the backlog, from the worker's start to the commit of its last reading; of a burst, of all.
        waited_s: the longest that a new reading waited for its commit.
        behind_s: how long, from the start on, new readings waited for more than a second.
        missing: readings that were published and not stored.
        cost: CPU and memory meanwhile.
    """

    readings: int
    readings_per_s: float
    waited_s: float
    behind_s: float
    missing: int
    cost: Cost


def backlog(
    database: EmbeddedDatabase, readings: int, form: Form, live_per_s: float, live_s: float
) -> Drained:
    """Readings wait at the broker; a worker starts while others keep coming."""
    waiting_plan = Plan(
        readings // FORMS[form](1).readings,
        form,
        sensors=SENSORS,
        first_value=WARM_VALUE + SENSORS,
        longest_s=LONGEST_S,
        silence_s=_SILENCE_S,
    )
    count = min(_LIVE_MOST, int(live_per_s * live_s))
    live = Plan(
        count,
        rate=live_per_s,
        sensors=SENSORS,
        first_value=LIVE_VALUE,
        longest_s=LONGEST_S,
        silence_s=_SILENCE_S,
    )
    with site(database) as place:
        place.subscribe(1)
        with place.load(waiting_plan) as load:
            go(load)
            waiting = done(load).readings
        with place.load(live) as load, place.worker(1) as worker, place.watch([worker]) as watch:
            started = time.time()
            go(load)
            published = waiting + done(load).readings
            wait_for(place, published, LONGEST_S)
            cost = watch.cost()
            waited, until = place.delays(LIVE_VALUE)
            drained_s = place.last_commit_s(LIVE_VALUE) - started
            missing = published - place.stored()
    return Drained(published, waiting / drained_s, waited, max(0.0, until - started), missing, cost)


def burst(
    database: EmbeddedDatabase, usual_per_s: float, peak_per_s: float | None, seconds: float
) -> Drained:
    """The usual rate, and beside it ten times as much, or all that the broker takes, for a while."""
    usual = Plan(
        int(usual_per_s * (seconds + 10)),
        rate=usual_per_s,
        sensors=SENSORS,
        first_value=LIVE_VALUE,
        longest_s=LONGEST_S,
        silence_s=_SILENCE_S,
        distinct=_PACKETS,
    )
    most = 200_000 if peak_per_s is None else peak_per_s
    peak = Plan(
        int(most * seconds),
        rate=peak_per_s,
        sensors=SENSORS,
        longest_s=seconds,
        silence_s=_SILENCE_S,
        distinct=_PACKETS,
    )
    with site(database) as place, ExitStack() as stack:
        worker = stack.enter_context(place.worker(1))
        await_subscription(worker)
        first, second = (stack.enter_context(place.load(plan)) for plan in (usual, peak))
        watch = stack.enter_context(place.watch([worker]))
        started = time.time()
        go(first)
        time.sleep(_LEAD_S)
        go(second)
        published = done(second).readings + done(first).readings
        wait_for(place, published, LONGEST_S)
        cost = watch.cost()
        waited, until = place.delays(FIRST_VALUE)
        missing = published - place.stored()
    behind = max(0.0, until - started - _LEAD_S)
    return Drained(published, published / cost.seconds, waited, behind, missing, cost)


def show(results: dict[str, Drained]) -> None:
    """Print the tables, write build/bench/backlog.json."""
    head = ("run", "readings", "readings/s", "longest wait s", "behind s", "missing")
    rows = [
        (name, r.readings, r.readings_per_s, r.waited_s, r.behind_s, r.missing)
        for name, r in results.items()
    ]
    print(report.table("Catching up (start of the process included)", head, rows))
    accounts = ("worker 1", "database", "broker")
    cost_head = ("", *(f"{name} {unit}" for name in accounts for unit in ("MB", "cores")))
    cost_rows: list[tuple[str | float | int | None, ...]] = [
        (
            name,
            *(
                figure
                for account in accounts
                for figure in (r.cost.megabytes[account], r.cost.cores[account])
            ),
            r.cost.cores["all else"],
        )
        for name, r in results.items()
    ]
    print(report.table("\nLargest memory, and cores", (*cost_head, "all else cores"), cost_rows))
    report.write("backlog", {name: dataclasses.asdict(found) for name, found in results.items()})


def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(
        "bench-backlog", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=1_000_000, help="of the backlog")
    parser.add_argument("--form", type=Form, default=Form.COLUMNS, help="of its messages")
    parser.add_argument("--live-per-s", type=float, default=1_000.0, help="while it is drained")
    parser.add_argument("--live-s", type=float, default=None, help="how long; None: by its size")
    parser.add_argument("--usual-per-s", type=float, default=1_000.0, help="the burst is ten times")
    parser.add_argument("--burst-s", type=float, default=10.0, help="0: no burst")
    parser.add_argument("--overload-s", type=float, default=10.0, help="0: no overload")
    options = parser.parse_args(arguments)
    slowest = 10_000 if FORMS[options.form](1).readings == 1 else 40_000
    live_s = options.live_s or 10 + options.readings / slowest
    results: dict[str, Drained] = {}
    with EmbeddedDatabase(settings=SERVER_SETTINGS) as database:
        make_template(database)
        if options.readings:
            name = f"{options.readings:,} readings waiting ({options.form.value})"
            results[name] = backlog(
                database, options.readings, options.form, options.live_per_s, live_s
            )
        usual = options.usual_per_s
        if options.burst_s:
            name = f"{usual:,.0f}/s and {10 * usual:,.0f}/s for {options.burst_s:g} s"
            results[name] = burst(database, usual, 10 * usual, options.burst_s)
        if options.overload_s:
            name = f"{usual:,.0f}/s and a flood for {options.overload_s:g} s"
            results[name] = burst(database, usual, None, options.overload_s)
    show(results)


if __name__ == "__main__":
    main(sys.argv[1:])

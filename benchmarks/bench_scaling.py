"""One, two and more workers on one shared subscription: the same messages, who took which share, and what was full.

Messages of a hundred readings, so that the workers and the database are the limit and not the broker. They wait at the
broker when the workers start together; it is measured from when each has committed something to nine tenths of all.
Where the machine's cores are all busy already the rate cannot double: then the cost of a reading tells whether the
workers are in each other's way.

    python -m benchmarks scaling [-- --readings 3000000 --workers 1 2]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks import accounts, report
from benchmarks.load import Plan
from benchmarks.payloads import FORMS, Form
from benchmarks.peers.tables import SERVER_SETTINGS
from benchmarks.site import SENSORS, Cost, Site, done, go, make_template, site, wait_for
from services.embedded.database import EmbeddedDatabase

LONGEST_S: Final = 900.0
_FULL: Final = 0.85
"""A process of one thread that takes so much of a core, or a machine so much of all its cores, is full."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the workers together came to.

    Attributes:
        readings_per_s: while all worked.
        shares: part of the readings that each of them stored, of all.
        cpu_us: account -> CPU microseconds a reading: workers, database, broker.
        missing: readings that were published and not stored; twice: that were taken more than once.
        full: what had nothing left.
        cost: CPU and memory meanwhile.
    """

    readings_per_s: float
    shares: list[float]
    cpu_us: dict[str, float]
    missing: int
    twice: int
    full: str
    cost: Cost

    @property
    def whole_us(self) -> float:
        """CPU microseconds a reading, of everything."""
        return sum(self.cpu_us.values())


def shared(database: EmbeddedDatabase, form: Form, readings: int, count: int) -> Shared:
    """Messages wait at the broker for `count` workers, which start together."""
    plan = Plan(readings // FORMS[form](1).readings, form, sensors=SENSORS, longest_s=LONGEST_S)
    with site(database) as place:
        for number in range(count):
            place.subscribe(number, share_group="bench")
        with place.load(plan) as load:
            go(load)
            waiting = done(load).readings
        with ExitStack() as stack:
            workers = [
                stack.enter_context(place.worker(number, share_group="bench"))
                for number in range(count)
            ]
            accounts.wait_until(lambda: len(place.by_worker()) == count, LONGEST_S, 0.02)
            with place.watch(workers) as watch:
                before = place.stored()
                wait_for(place, int(0.9 * waiting), LONGEST_S)
                after = place.stored()
                cost = watch.cost()
            wait_for(place, waiting, LONGEST_S)
            return _summed(place, waiting, after - before, cost)


def _summed(place: Site, waiting: int, readings: int, cost: Cost) -> Shared:
    by_worker = place.by_worker()
    stored = sum(each for each, _ in by_worker)
    cpu_us: dict[str, float] = {}
    for name, cores in cost.cores.items():
        if name != "all else":
            kind = "workers" if name.startswith("worker") else name
            cpu_us[kind] = cpu_us.get(kind, 0.0) + 1e6 * cores * cost.seconds / max(1, readings)
    return Shared(
        readings / cost.seconds,
        [each / max(1, stored) for each, _ in by_worker],
        cpu_us,
        waiting - stored,
        sum(again for _, again in by_worker),
        full(cost, os.cpu_count() or 1),
        cost,
    )


def full(cost: Cost, cores: int) -> str:
    """What had nothing left: the machine, the broker, or the workers, which wait for their database in turn."""
    if sum(cost.cores.values()) > _FULL * cores:
        foreign = cost.cores["all else"]
        return f"the machine's {cores} cores" + (f", {foreign:.1f} by others" * (foreign > 0.2))
    if cost.cores["broker"] > _FULL:
        return "the broker"
    return "each worker's turns with its database"


def show(results: dict[int, list[Shared]]) -> None:
    """Print the tables, write build/bench/scaling.json; medians of the rounds, ratios within each round."""
    alone = min(results)
    rows: list[tuple[str | float | int | None, ...]] = []
    for count, rounds in results.items():
        pairs = list(zip(rounds, results[alone], strict=True))
        rows.append(
            (
                f"{count} worker" + "s" * (count > 1),
                statistics.median(each.readings_per_s for each in rounds),
                statistics.median(each.readings_per_s / one.readings_per_s for each, one in pairs),
                *(statistics.median(each.cpu_us[name] for each in rounds) for name in _ACCOUNTS),
                statistics.median(each.whole_us / one.whole_us for each, one in pairs),
                max(max(each.shares) - min(each.shares) for each in rounds),
                sum(each.missing for each in rounds),
                sum(each.twice for each in rounds),
                rounds[-1].full,
            )
        )
    print(report.table("Workers of one share group", _HEAD, rows))
    facts = {
        str(count): [dataclasses.asdict(each) for each in found] for count, found in results.items()
    }
    report.write("scaling", {"workers": facts})


_ACCOUNTS: Final = ("workers", "database", "broker")
_HEAD: Final = (
    "",
    "readings/s",
    "times one",
    *(f"us a reading: {name}" for name in _ACCOUNTS),
    "cost to one's",
    "shares differ",
    "missing",
    "twice",
    "full in the last round",
)


def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(
        "bench-scaling", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readings", type=int, default=2_000_000, help="of each run")
    parser.add_argument("--form", type=Form, default=Form.ARRAY, help="of their messages")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="of all numbers, in turn")
    options = parser.parse_args(arguments)
    results: dict[int, list[Shared]] = {count: [] for count in options.workers}
    with EmbeddedDatabase(settings=SERVER_SETTINGS) as database:
        make_template(database)
        for _ in range(options.rounds):
            for count in options.workers:
                results[count].append(shared(database, options.form, options.readings, count))
    show(results)


if __name__ == "__main__":
    main(sys.argv[1:])

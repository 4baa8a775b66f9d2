"""Ingest beside its peers: speed, cost, lag and memory from MQTT to committed rows, in one interleaved run.

Every run has a fresh mosquitto and a fresh database with TimescaleDB. The readings of one pipeline all carry the time
of their publishing and a running number, so lag, loss and repetition are read from the table. Ratios within one run
travel to other machines, absolute figures do not. Peers store into a narrow hypertable (time, sensor text, value)
under a unique index on (sensor, time), from a flat payload; ours takes its own, larger payload into the product's wide
table with everything that the product does. What is not installable is skipped with a sentence.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any, Final

from benchmarks import report
from benchmarks.load import Plan
from benchmarks.peers.bars import bars, ratios
from benchmarks.peers.fetched import NotInstallable
from benchmarks.peers.medians import Median, median
from benchmarks.peers.pipelines import PIPELINES, Name
from benchmarks.peers.programs import ProgramEnded
from benchmarks.peers.tables import SERVER_SETTINGS, prepare
from benchmarks.peers.trial import TEMPLATE, Bench, LoadFailed, NotReady, Outcome
from services.embedded.database import EmbeddedDatabase
from services.embedded.processes import interrupt_on_terminate

RATES: Final = (10_000, 100)
"""Messages a second of the runs at a fixed rate."""
_SENSORS: Final = 10_000
_HEAD: Final = (
    "pipeline",
    "readings/s",
    "us a reading: service",
    "database",
    "broker",
    "service + database",
    "lag p50 ms",
    "p99 ms",
    "MB",
    "missing",
    "twice",
)

Runs = dict[Name, list[Outcome]]


def main(arguments: Sequence[str]) -> None:
    """Measure, print the tables, write build/bench/ingest_peers.json, or as named."""
    options = _options(arguments)
    interrupt_on_terminate()
    skipped: dict[Name, str] = {}
    flood: Runs = {name: [] for name in options.only}
    steady: dict[int, Runs] = {
        rate: {name: [] for name in options.only if PIPELINES[name].steady} for rate in RATES
    }
    with EmbeddedDatabase(progress=print, settings=SERVER_SETTINGS) as database:
        database.create_template(TEMPLATE, lambda url: prepare(url, _SENSORS))
        bench = Bench(database)
        for number in range(options.rounds):
            turn = number * len(options.only) // options.rounds
            for name in (*options.only[turn:], *options.only[:turn]):
                plan = _plan(name, max(1, int(options.messages * PIPELINES[name].share)))
                _try(bench, name, plan, flood[name], skipped)
                for rate, runs in steady.items() if options.steady_s else ():
                    if name in runs:
                        plan = _plan(name, max(1, int(rate * options.steady_s)), rate)
                        _try(bench, name, plan, runs[name], skipped)
            print(f"round {number + 1} of {options.rounds} done", flush=True)
    _show(flood, steady, skipped, options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "bench-ingest", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--messages", type=int, default=200_000, help="a round; slow peers get a share"
    )
    parser.add_argument(
        "--steady-s", type=float, default=5.0, help="seconds at each fixed rate; 0: none"
    )
    parser.add_argument("--name", default="ingest_peers", help="of the file of figures")
    parser.add_argument("--only", type=Name, nargs="*", default=list(Name), metavar="PIPELINE")
    return parser.parse_args(arguments)


def _plan(name: Name, messages: int, rate: float | None = None) -> Plan:
    pipeline = PIPELINES[name]
    return Plan(messages, pipeline.form, pipeline.qos, rate, sensors=_SENSORS)


def _try(
    bench: Bench, name: Name, plan: Plan, outcomes: list[Outcome], skipped: dict[Name, str]
) -> None:
    """One run; a pipeline that cannot run is not tried again."""
    if name in skipped:
        return
    try:
        outcomes.append(bench.run(PIPELINES[name], plan))
    except (NotInstallable, NotReady, ProgramEnded, LoadFailed) as error:
        skipped[name] = str(error)
        print(f"{name} is skipped: {error}", flush=True)


def _show(
    flood: Runs,
    steady: dict[int, Runs],
    skipped: dict[Name, str],
    options: argparse.Namespace,
) -> None:
    medians = _medians(flood)
    at_rate = {rate: _medians(runs) for rate, runs in steady.items()}
    judged = bars(flood, at_rate)
    print()
    print(report.table("As fast as it goes", _HEAD, _rows(medians)))
    for rate, found in at_rate.items():
        if found:
            print()
            print(report.table(f"At {rate:,} messages/s", _HEAD, _rows(found)))
    foreign = max((each.foreign_cores for each in medians.values()), default=0.0)
    print(f"\nOther work on this machine took up to {foreign:.2f} cores in the median round.\n")
    print(
        report.table(
            "Against the bars",
            ("what", "measured", "bar", "met"),
            [(bar.what, bar.measured, bar.wanted, bar.verdict) for bar in judged],
        )
    )
    facts: dict[str, Any] = {
        "messages": options.messages,
        "rounds": options.rounds,
        "pipelines": {name: PIPELINES[name].title for name in options.only},
        "medians": {name: dataclasses.asdict(each) for name, each in medians.items()},
        "steady": {
            rate: {name: dataclasses.asdict(each) for name, each in found.items()}
            for rate, found in at_rate.items()
        },
        "ratios": ratios(flood),
        "bars": [{**dataclasses.asdict(bar), "met": bar.met} for bar in judged],
        "skipped": skipped,
        "runs": {
            name: [dataclasses.asdict(each) for each in outcomes]
            for name, outcomes in flood.items()
        },
    }
    print(f"\nWritten to {report.write(options.name, facts)}")


def _medians(runs: Runs) -> dict[Name, Median]:
    return {name: median(outcomes) for name, outcomes in runs.items() if outcomes}


def _rows(medians: dict[Name, Median]) -> list[tuple[report.Cell, ...]]:
    return [
        (
            PIPELINES[name].title,
            each.readings_per_s,
            each.service_us,
            each.database_us,
            each.broker_us,
            each.outside_us,
            each.lag_p50_ms,
            each.lag_p99_ms,
            each.resident_peak_mb,
            each.missing,
            each.repeated,
        )
        for name, each in medians.items()
    ]


if __name__ == "__main__":
    main(sys.argv[1:])

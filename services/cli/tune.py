"""The command that compares configurations of the detectors on a city's own history and proposes one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from services.cli.backtest import folders_of, sources_of, stored_case
from services.cli.output import make_room, write_file
from services.cli.times import time_of
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from services.cli.settings import Sources
    from services.detect.recorded.tune import Configuration, Labelled, Point, Prices


def tune(
    cases: list[Path] | None = typer.Argument(
        None, help="Folders with readings.csv[.gz] and truth.json; folders below are searched too."
    ),
    limit: list[str] | None = typer.Option(
        None,
        metavar="NAME=VALUE,...",
        help="Try these values of a limit; of several every combination. Without it, one limit after the other.",
    ),
    config: list[Path] | None = typer.Option(
        None, help="Compare this settings file (TOML, [detectors]) too; may be given several times."
    ),
    database: bool = typer.Option(
        False, help="Take the history and the verdicts of the database (DATABASE_URL)."
    ),
    from_: str | None = typer.Option(
        None, "--from", metavar="TIME", help="With --database: alerts raised from this time on."
    ),
    to: str | None = typer.Option(
        None, metavar="TIME", help="With --database: readings and alerts before this time."
    ),
    out: Path | None = typer.Option(
        None,
        help="Write the proposal as a settings file: for --config here and of `citygauge backtest`, and the service.",
    ),
    false_alarm_costs: float | None = typer.Option(
        None,
        min=0,
        metavar="MONEY",
        help="What it costs to go and find nothing: propose what costs least in all.",
    ),
    miss_costs: float | None = typer.Option(
        None, min=0, metavar="MONEY", help="The same for an event of which nobody is told."
    ),
    hour_costs: float | None = typer.Option(
        None,
        min=0,
        metavar="MONEY",
        help="The same for each hour from an event's start until somebody is told.",
    ),
    jobs: int | None = typer.Option(
        None, min=1, help="Configurations at a time, each in a process; as many as there are cores."
    ),
) -> None:
    """Show what other limits of the detectors would have found, when, and for how many false alarms.

    Marks the configurations that no other one beats (`*`), and proposes one: why, which events and false alarms
    change, whether it holds in both halves of the sensors, and its settings as TOML. It changes nothing: a person
    decides. Without costs a proposal misses no more than the present configuration.

    Of the database the verdicts on alerts are the truth: "real" should be found, "legitimate use" (and a process alarm
    of a faulty sensor) should not be told, and alerts at places and times that nobody has judged are counted apart.
    """
    from services.cli.settings import Section
    from services.cli.tune_workers import points
    from services.detect.detector_settings import DetectorSettings
    from services.detect.recorded.proposal import NOTHING_BETTER, proposed, table
    from services.detect.recorded.tune import with_front
    from services.detect.scoring import words

    sources = sources_of(None)
    present = sources.load(Section.DETECTORS, DetectorSettings)
    if database and cases:
        raise InvalidInput("--database", "with a case", "the database is the only case then")
    if limit and config:
        raise InvalidInput("--limit", "with --config", "one of the two")
    if out is not None:
        make_room("--out", out)
    prices = _prices(false_alarm_costs, miss_costs, hour_costs)
    with _histories(sources, cases or [], database, from_, to) as histories:
        several = _configurations(present, histories, limit or [], config or [])
        at_a_time = jobs or len(os.sched_getaffinity(0))
        begun = time.perf_counter()
        found: list[Point] = []
        for point in points(several, histories, at_a_time):
            found.append(point)
            left = (time.perf_counter() - begun) / len(found) * (len(several) - len(found))
            ahead = f", about {words.span(left / 3600)} to go" if left > 1 else ""
            name = point.configuration.name
            typer.echo(f"{len(found)} of {len(several)}: {name}{ahead}", err=True)
        complete = all(each.complete for each in histories)
    compared = with_front(found)
    text = proposed(compared, prices)
    typer.echo("\n".join(table(compared, prices, complete)))
    typer.echo(f"\n{text}" if text else f"\n{NOTHING_BETTER}")
    if out is not None and text:
        _write(out, text)


@contextmanager
def _histories(
    sources: Sources, cases: list[Path], database: bool, from_: str | None, to: str | None
) -> Iterator[list[Labelled]]:
    """The histories, each read once; their readings lie in files until this is left."""
    with TemporaryDirectory(prefix="citygauge-") as name:
        folder = Path(name)
        if database:
            start_us = None if from_ is None else time_of("--from", from_)
            end_us = None if to is None else time_of("--to", to)
            found = [_stored(sources, start_us, end_us, folder / "0")]
        else:
            found = [
                _labelled(case, at, folder / str(place))
                for place, (case, at) in enumerate(folders_of(cases))
            ]
        yield found


def _stored(sources: Sources, start_us: int | None, end_us: int | None, file: Path) -> Labelled:
    from services.detect.recorded.spooled_case import spooled
    from services.detect.recorded.tune import Labelled
    from services.detect.recorded.verdicts import judged_alerts, truth_of
    from services.domain.instant import DAY_US, from_us

    with stored_case(sources, start_us, end_us) as found:
        alerts = judged_alerts(
            found.conn,
            None if start_us is None else from_us(start_us),
            None if end_us is None else from_us(end_us),
        )
        judged = [alert for alert in alerts if alert.verdict is not None]
        if not judged:
            raise InvalidInput(
                "--database",
                f"{len(alerts)} alerts",
                "a range in which people gave verdicts on alerts",
            )
        first_us, last_us = found.span_us()
        begin_us = start_us if start_us is not None else first_us
        truth = truth_of(alerts, begin_us, last_us)
        days = max((last_us - begin_us) / DAY_US, 1e-9)
        sensor_days = days * len(found.numbered)
        return Labelled(spooled(found, file), truth, sensor_days, days, complete=False)


def _labelled(name: str, folder: Path, file: Path) -> Labelled:
    from services.detect.recorded.recordings import read_case
    from services.detect.recorded.spooled_case import spooled
    from services.detect.recorded.tune import Labelled
    from services.detect.scoring.case_files import read_truth

    if folder.is_file():
        folder = folder.parent
    if not (folder / "truth.json").is_file():
        raise InvalidInput("case", name, "a folder with truth.json beside its readings")
    truth = read_truth(folder)
    case = read_case(folder)
    sensors = len(truth.scored_sensors or case.sensors)
    return Labelled(spooled(case, file), truth, sensors * truth.days, truth.days)


def _configurations(
    present: object, histories: Sequence[Labelled], limits: list[str], files: list[Path]
) -> list[Configuration]:
    from services.cli.settings import Section
    from services.detect.detector_settings import DetectorSettings
    from services.detect.recorded.tune import combinations, differing, one_by_one
    from services.domain.catalogue import Domain

    assert isinstance(present, DetectorSettings)
    if files:
        return list(
            differing(
                present,
                {
                    str(path): sources_of(path).load(Section.DETECTORS, DetectorSettings)
                    for path in files
                },
            )
        )
    if limits:
        return list(combinations(present, dict(map(_values, limits))))
    domains = {s.domain for each in histories for _, s in each.case.numbered}
    return list(one_by_one(present, [domain for domain in Domain if domain in domains]))


def _values(text: str) -> tuple[str, list[float]]:
    name, _, values = text.partition("=")
    try:
        return name.strip(), [float(value) for value in values.split(",")]
    except ValueError:
        raise InvalidInput("--limit", text, "NAME=VALUE,VALUE with numbers") from None


def _prices(false_alarm: float | None, missed: float | None, hour: float | None) -> Prices | None:
    from services.detect.recorded.tune import Prices

    if false_alarm is None and missed is None and hour is None:
        return None
    return Prices(false_alarm or 0.0, missed or 0.0, hour or 0.0)


def _write(path: Path, text: str) -> None:
    write_file("--out", path, text + "\n")
    typer.echo(f"{path} written", err=True)

"""The command that runs the live detectors over recorded cases, or over a range of the database."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from services.cli.output import make_room, write_file
from services.cli.times import time_of, zone_of
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from services.cli.settings import Sources
    from services.detect.recorded.recordings import RecordedCase
    from services.detect.recorded.stored_case import StoredCase


def backtest(
    cases: list[Path] | None = typer.Argument(
        None, help="Folders with readings.csv or readings.csv.gz; folders below are searched too."
    ),
    alerts: Path | None = typer.Option(
        None,
        help=(
            "Write the alerts into this file (.jsonl), or for several cases into this folder as CASE.jsonl, "
            "instead of onto standard output."
        ),
    ),
    scores: Path | None = typer.Option(
        None,
        help="Write the general anomaly score (0 to 1) of every reading: a .csv file, or a folder for CASE.csv.",
    ),
    config: Path | None = typer.Option(
        None, help="Settings file (TOML) with the [detectors] table that the live service takes."
    ),
    from_: str | None = typer.Option(
        None,
        "--from",
        metavar="TIME",
        help="Report alerts that are told from this time on (RFC 3339); what lies before is the warm-up.",
    ),
    to: str | None = typer.Option(
        None, metavar="TIME", help="Take readings that arrived before this time only."
    ),
    database: bool = typer.Option(
        False,
        help="Take the readings and sensors of the database (DATABASE_URL) instead of folders.",
    ),
    time_zone: str | None = typer.Option(
        None,
        help=(
            "IANA zone of times that are written without one (2026-01-31 13:45, 31.01.2026 13:45:00), in the files and "
            "of --from and --to; otherwise they are refused. Of the hour that autumn repeats the first is meant."
        ),
    ),
    decimal_comma: bool = typer.Option(
        False, "--decimal-comma", help="Numbers in the files have a decimal comma (17,5)."
    ),
) -> None:
    """Run the very detectors of the service over recordings, and write the alerts they would have raised.

    No broker, and for folders no database. Readings are taken in the order of their times, or of `received_at` where a
    recording has that column.

    One JSON line each time that a person would have been told: sensor_id, kind, rule, started_at, detected_at (the
    stream time of the telling), ended_at, severity, score, evidence, sentence. They are those of that moment; where an
    alert went on, `last` is how it stood in the end, and `ended_sentence` what was said of its end. A rise of severity
    is told anew, in a line of its own.

    Scores have one line for each line that was understood: time, sensor_id, metric, score. A repeated line has its own,
    a missing or infinite value has 0.

    Warm-up: of a folder everything before --from is run through the detectors; of the database `warm_days` of
    [detect] before it.

    A line of readings.csv is time, sensor_id, kind, metric, value. Kinds are those of `sensors import`. Metrics say
    their unit: register_l, register_m3, consumption_l, volume_l, flow_m3h, flow_lps, pressure_m, pressure_bar,
    level_m; volume_veh, speed_kmh, speed_mph, occupancy_pct; or a column of an export (flow_litres_per_h).

    Lines that are not understood are left out and named; where they are the most, the file is refused.
    """
    from services.detect.detector_settings import DetectorSettings
    from services.detect.recorded.backtest import in_order, run_case
    from services.detect.recorded.writing import Writing

    sources = sources_of(config)
    from services.cli.settings import Section

    settings = sources.load(Section.DETECTORS, DetectorSettings)
    writing = Writing(zone_of("--time-zone", time_zone), decimal_comma)
    start_us = None if from_ is None else time_of("--from", from_, writing.instant)
    end_us = None if to is None else time_of("--to", to, writing.instant)
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise InvalidInput("--to", to, "a time after --from")
    if database:
        if cases:
            raise InvalidInput("--database", "with a case", "the database is the only case then")
        with stored_case(sources, start_us, end_us) as found:
            begun = time.perf_counter()
            lines = in_order(run_case(found, settings, start_us, end_us))
            _write(lines, None if alerts is None else one_file(alerts, "database"))
            if scores is not None:
                from services.detect.recorded.scored import readings_of_case, write_scores

                out = one_file(scores, "database", ".csv")
                write_scores(readings_of_case(found), out, start_us, end_us)
            _tell("database", lines, begun)
        return
    folders = list(folders_of(cases or []))
    several = len(folders) > 1
    if alerts is not None or scores is not None:
        _apart(folders)
    for name, folder in folders:
        from services.detect.recorded.recordings import read_case

        begun = time.perf_counter()
        told = None if alerts is None else _file(alerts, name, ".jsonl", several)
        scored = None if scores is None else _file(scores, name, ".csv", several)
        for option, path in (("--alerts", told), ("--scores", scored)):
            if path is not None:
                make_room(option, path)
        case = read_case(folder, writing=writing)
        _warn(case)
        lines = in_order(run_case(case, settings, start_us, end_us))
        _write(lines, told)
        if scored is not None:
            from services.detect.recorded.scored import readings_of_file, write_scores

            write_scores(readings_of_file(folder, writing=writing), scored, start_us, end_us)
        _tell(name, lines, begun, case.lines)


def sources_of(config: Path | None) -> Sources:
    """The settings of this process, from another file where one is given."""
    import os

    from services.cli.settings import Sources

    if config is None:
        return Sources.of_process()
    if not config.is_file():
        raise InvalidInput("--config", str(config), "a settings file in TOML")
    return Sources({**os.environ, "CITYGAUGE_CONFIG": str(config)}, Path.cwd())


def folders_of(roots: list[Path]) -> Iterator[tuple[str, Path]]:
    """(name, folder) of every case; one that is given by itself has its own name, others their path below."""
    if not roots:
        raise InvalidInput(
            "case", "", "a folder with readings.csv or readings.csv.gz, or --database"
        )
    for root in roots:
        if root.is_file():
            yield root.parent.resolve().name, root
            continue
        folders = sorted({path.parent for path in root.rglob("readings.csv*")})
        if not folders:
            raise InvalidInput("case", str(root), "a folder with readings.csv or readings.csv.gz")
        for folder in folders:
            own = folder.resolve().name
            yield own if folder == root else folder.relative_to(root).as_posix(), folder


@contextmanager
def stored_case(sources: Sources, start_us: int | None, end_us: int | None) -> Iterator[StoredCase]:
    """The range of the database as a case, while it is open."""
    from services.cli.process import database_url
    from services.cli.settings import Section
    from services.detect.recorded.stored_case import StoredCase
    from services.detect.settings import DetectSettings
    from services.domain.instant import from_us
    from services.store.connection import connect

    warm = timedelta(days=sources.load(Section.DETECT, DetectSettings).warm_days)
    with connect(database_url(sources), "citygauge-backtest", autocommit=True) as conn:
        yield StoredCase(
            conn,
            None if start_us is None else from_us(start_us),
            None if end_us is None else from_us(end_us),
            warm,
        )


def one_file(path: Path, name: str, suffix: str = ".jsonl") -> Path:
    """The path itself where it names a file, or the file of the case in it where it names a folder."""
    if path.is_dir() or (path.suffix == "" and not path.exists()):
        return path / f"{name}{suffix}"
    return path


def _apart(folders: list[tuple[str, Path]]) -> None:
    """Refuse cases whose files would be one: the later would take the place of the earlier."""
    first: dict[str, Path] = {}
    for name, folder in folders:
        if name in first:
            raise InvalidInput(
                "case",
                f"{first[name]} and {folder}",
                f"cases of different names, since both would be written as {name}; "
                "give the folder above them, or run one after the other",
            )
        first[name] = folder


def _file(path: Path, name: str, suffix: str, several: bool) -> Path:
    file = one_file(path, name, suffix)
    if several and file == path:
        raise InvalidInput("output", str(path), "a folder, for more than one case")
    return file


def _write(lines: list[dict[str, Any]], out: Path | None) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_file("--alerts", out, text)


def _warn(case: RecordedCase) -> None:
    def say(text: str) -> None:
        typer.echo(f"{case.name}: {text}", err=True)

    if case.bad.count:
        named = "; ".join(case.bad.named)
        lines = "1 line is" if case.bad.count == 1 else f"{case.bad.count} lines are"
        say(f"{lines} not understood and left out; {named}")
    if case.unnamable:
        some = "; ".join(list(case.unnamable)[:3])
        say(f"{sum(case.unnamable.values())} lines are left out; {some}")
    for name, count in sorted(case.unwatched.items()):
        say(f"no detector knows {name}: {count} lines")
    if case.never_read:
        some = ", ".join(case.never_read[:3]) + (", ..." if len(case.never_read) > 3 else "")
        say(
            f"sensors.json describes {len(case.never_read)} sensors without readings: {some}; of them nothing is told"
        )
    if case.lines and not case.sensors:
        from services.domain.catalogue import Domain
        from services.domain.recording import metric_words

        say(f"no alert can come of it; metrics are {'; '.join(map(metric_words, Domain))}")
    if not case.lines:
        say("there are no readings")


def _tell(name: str, told: list[dict[str, Any]], begun: float, lines: int | None = None) -> None:
    seconds = time.perf_counter() - begun
    alerts = "1 alert" if len(told) == 1 else f"{len(told)} alerts"
    of = ""
    if lines:
        of = f" of {lines:,} lines ({lines / max(seconds, 1e-3):,.0f} a second)"
    typer.echo(f"{name}: {alerts}{of} in {seconds:.1f} s", err=True)

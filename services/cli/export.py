"""`citygauge export`: history straight from the database to a file, with its progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from services.cli.process import database_url
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from services.store.query.exports import Written

_BY_SUFFIX = {
    ".parquet": "parquet",
    ".arrows": "arrow",
    ".arrow": "arrow",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}


def export(
    file: Path = typer.Argument(
        help="The file to write; its name says the form: .parquet, .arrows, .csv or .ndjson."
    ),
    domain: Domain = typer.Option(help="Of which domain."),
    start: str = typer.Option(help="Start of the range, included: 2026-01-01T00:00:00Z."),
    end: str = typer.Option(help="End of the range, not included."),
    sensor: list[str] = typer.Option([], help="Only this sensor; repeat it for several."),
    zone: str | None = typer.Option(None, help="Only sensors of this zone."),
    road: str | None = typer.Option(None, help="Only sensors of this road."),
    metric: list[str] = typer.Option([], help="Only this metric (flow); repeat it for several."),
    bucket: str | None = typer.Option(
        None, help="Buckets of this length (PT15M, P1D) instead of raw readings."
    ),
    aggregate: list[str] = typer.Option(
        [], help="With --bucket: avg (when not given), min, max, p85...; repeat it for several."
    ),
    good: bool = typer.Option(
        False, "--good", help="Leave out readings that are implausible, estimated or misdated."
    ),
    times: str = typer.Option("iso", help="iso, epoch_s, epoch_ms or epoch_us."),
    replace: bool = typer.Option(False, "--replace", help="Write over a file that is there."),
) -> None:
    """Write readings, raw or in buckets, of any number of sensors and any range to a file.

    Needs DATABASE_URL. The file appears when it is complete; its SHA-256 is printed at the end.
    """
    from services.api.history.export_files import write
    from services.api.history.export_orders import plan
    from services.store.connection import connect
    from services.store.query.export_rows import READERS

    if file.exists() and not replace:
        raise InvalidInput("file", str(file), "a name that is free, or --replace")
    if not file.resolve().parent.is_dir():
        raise InvalidInput("file", str(file), "a name in a folder that exists")
    form = _BY_SUFFIX.get(file.suffix.lower())
    if form is None:
        raise InvalidInput("file", file.name, f"a name that ends in {', '.join(_BY_SUFFIX)}")
    order = _order(
        {
            "domain": domain,
            "start": start,
            "end": end,
            "sensor_id": sensor,
            "zone": zone,
            "road": road,
            "metrics": metric,
            "bucket": bucket,
            "aggregate": aggregate,
            "quality": "good" if good else "any",
            "format": form,
            "times": times,
        }
    )
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(database_url(), "citygauge-export", autocommit=True))
            for _ in range(READERS)
        ]
        made = plan(connections[0], order)
        on_progress = stack.enter_context(_shown(file.name))
        try:
            done, sha256 = write(made, connections, file, on_progress=on_progress)
        except OSError as error:
            raise InvalidInput("file", str(file), f"a file that can be written: {error}") from error
    typer.echo(f"{file}: {done.rows:,} rows, {done.bytes:,} bytes, sha256 {sha256}")


def _order(values: dict[str, Any]) -> Any:
    """The order, or the first thing that is wrong with it, by the name of its option."""
    from pydantic import ValidationError

    from services.api.history.export_orders import ExportOrder

    try:
        return ExportOrder.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        names = {"sensor_id": "sensor", "metrics": "metric"}
        name = str(first["loc"][0])
        rule = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"--{names.get(name, name)}", first["input"], rule) from None


@contextmanager
def _shown(name: str) -> Iterator[Any]:
    """A progress bar on a terminal; nothing where standard error is none, and nothing is loaded for it."""
    if not sys.stderr.isatty():
        yield lambda written: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[size]:.1f} MB"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=1.0, rows=0, size=0.0)

        def came(written: Written) -> None:
            bar.update(
                task, completed=written.progress, rows=written.rows, size=written.bytes / 1e6
            )

        yield came

"""Commands about the registry of sensors: import, export, list."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from services.cli.listing import listing, print_listing
from services.cli.output import write_sensors
from services.cli.process import database_url
from services.domain.csv_text import text_of
from services.domain.errors import InvalidInput

app = typer.Typer(
    no_args_is_help=True,
    help="Register sensors from a CSV or GeoJSON file, write them to one, or list them.",
)


@app.command("import")
def import_(
    file: Path = typer.Argument(help="A .csv or .geojson file; - reads CSV from standard input."),
    skip_bad: bool = typer.Option(
        False, "--skip-bad", help="Import the good rows although others are bad."
    ),
    check: bool = typer.Option(False, "--check", help="Only read the file; import nothing."),
) -> None:
    """Register sensors, or change those that are registered already.

    A CSV file has a header; the columns id and kind are required. A GeoJSON file is a FeatureCollection of Points
    with the same words as properties. Every bad row is named with its line; unless --skip-bad is given, nothing is
    imported then. Importing the same file again changes nothing.
    """
    from services.domain.sensor_file import parse

    found = parse("input.csv" if str(file) == "-" else file.name, _read(file))
    for row in found.bad:
        typer.echo(f"{file}:{row.line}: {row.reason}", err=True)
    if found.bad and not skip_bad:
        typer.echo(
            f"citygauge: {len(found.bad)} bad rows, nothing imported; --skip-bad imports the rest",
            err=True,
        )
        raise typer.Exit(1)
    if check:
        typer.echo(f"{len(found.sensors)} sensors are readable")
        return
    from services.store.connection import connect
    from services.store.sensors import SensorRepository

    with connect(database_url(), "citygauge-sensors") as conn:
        done = SensorRepository(conn).upsert(found.sensors)
    typer.echo(
        f"{done.created} created, {done.updated} changed, {done.unchanged} unchanged, "
        f"{len(found.bad)} bad rows skipped"
    )


@app.command("export")
def export(
    file: Path | None = typer.Argument(
        None, help="A .csv or .geojson file to write; without it, CSV on standard output."
    ),
) -> None:
    """Write every registered sensor to a file, which `import` reads back exactly."""
    from services.domain.sensor_file import to_csv
    from services.store.connection import connect
    from services.store.sensors import SensorRepository

    with connect(database_url(), "citygauge-sensors") as conn:
        sensors = list(SensorRepository(conn).all())
    if file is None:
        sys.stdout.write(to_csv(sensors))
        return
    write_sensors("file", file, sensors)
    typer.echo(f"{len(sensors)} sensors written to {file}", err=True)


@app.command("list")
def list_(
    text: str | None = typer.Argument(None, help="Only sensors whose id or name has this in it."),
    limit: int = typer.Option(100, min=1, max=1000, help="At most so many."),
) -> None:
    """List registered sensors."""

    from services.store.connection import connect
    from services.store.sensors import SensorRepository

    with connect(database_url(), "citygauge-sensors") as conn:
        page = SensorRepository(conn).page(text=text, limit=limit)
    table = listing("id", "kind", "zone or road", "position", "cadence", "time zone")
    for sensor in page.items:
        table.add_row(
            sensor.id,
            sensor.kind,
            " ".join(filter(None, (sensor.zone, sensor.road, sensor.direction))),
            "" if sensor.position_m is None else f"{sensor.position_m:g} m",
            "" if sensor.cadence_s is None else f"{sensor.cadence_s:g} s",
            sensor.time_zone,
        )
    print_listing(table)
    if page.next:
        typer.echo(f"More than {limit}; give a part of the id, or a larger --limit.", err=True)


def _read(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput("file", str(file), f"a file to read ({error.strerror})") from error
    return text_of(raw, file.name)

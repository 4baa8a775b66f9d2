"""`citygauge takeout`: everything of the city's that the database holds, as files that any program reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from services.cli.process import database_url
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from services.store.connection import Connection

SUMS: Final = "SHA256SUMS"
"""Written last: a folder without it is not complete."""
_EVER: Final = ("1970-01-01T00:00:00Z", "2170-01-01T00:00:00Z")


class Form(StrEnum):
    """How readings are written."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"


def takeout(
    folder: Path = typer.Argument(help="The folder to make; it must be empty or not there yet."),
    form: Form = typer.Option(Form.PARQUET, "--form", help="The form of the readings' files."),
) -> None:
    """Write everything that the database holds to a folder: readings, sensors, alerts, and whom they were told.

    All files show the same moment, and everything goes on meanwhile. Readings are in one file for each domain;
    sensors.csv is what `sensors import` reads; every other table is a file of JSON, one row a line. `sha256sum --check
    SHA256SUMS`, in that folder, checks all of them. Left behind are keys, and the services' own place in their work.
    Needs DATABASE_URL.
    """
    from services.domain.sensor_file import to_csv
    from services.store.query.takeout import TABLES, lines, one_moment
    from services.store.sensors import SensorRepository

    sums: dict[str, str] = {}
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise InvalidInput("folder", str(folder), "an empty one, or a name that is free")
        with one_moment(database_url()) as connection:
            text = to_csv(SensorRepository(connection).all())
            _write(folder / "sensors.csv", iter([text]), sums)
            for table in TABLES:
                rows = (f"{line}\n" for line in lines(connection, table))
                _write(folder / f"{table}.ndjson", rows, sums)
            for domain in Domain:
                _write_readings(connection, domain, folder / f"{domain}.{form}", sums)
        listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
        (folder / SUMS).write_text(listed, encoding="utf-8")
    except OSError as error:
        problem = f"a folder that can be written: {error.strerror or error}"
        raise InvalidInput("folder", str(folder), problem) from error
    typer.echo(f"{folder}: complete, {len(sums)} files and {SUMS}")


def _write(path: Path, pieces: Iterator[str], sums: dict[str, str]) -> None:
    digest = hashlib.sha256()
    rows = 0
    with path.open("wb") as file:
        for piece in pieces:
            written = piece.encode()
            rows += written.count(b"\n")
            digest.update(written)
            file.write(written)
    sums[path.name] = digest.hexdigest()
    typer.echo(f"{path.name}: {rows:,} lines")


def _write_readings(
    connection: Connection, domain: Domain, path: Path, sums: dict[str, str]
) -> None:
    from services.api.history.export_files import write
    from services.api.history.export_orders import ExportOrder, plan

    order = ExportOrder.model_validate(
        {
            "domain": domain,
            "start": _EVER[0],
            "end": _EVER[1],
            "include": ["received_at", "stored_at"],
            "format": path.suffix.removeprefix("."),
        }
    )
    done, sums[path.name] = write(plan(connection, order), [connection], path)
    typer.echo(f"{path.name}: {done.rows:,} readings")

"""The command that shows what ingest would make of a message."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from services.cli.times import time_of
from services.domain.errors import InvalidInput


def decode(
    file: Path = typer.Argument(help="The message's bytes; - reads standard input."),
    topic: str = typer.Option(help="The topic on which it comes, citygauge/v1/water/M1/reading."),
    sensors: Path | None = typer.Option(
        None, help="A sensor file: who is registered. Without it, everybody is."
    ),
    received: str | None = typer.Option(
        None, help="When it comes (2026-03-02T00:00:00Z); now when not given."
    ),
) -> None:
    """Show what would be stored of a message, or why not. Nothing is stored.

    One JSON object a line: a reading with its values in canonical units, or a rejection with what to do about it.
    Exit status 1 if anything would be rejected.
    """
    from services.cli.settings import Section, Sources
    from services.domain.instant import from_us
    from services.domain.sensor_file import parse
    from services.ingest.preview import decode_preview
    from services.ingest.settings import IngestSettings

    settings = Sources.of_process().load(Section.INGEST, IngestSettings)
    registry = None
    if sensors is not None:
        found = parse(sensors.name, _read(sensors).decode("utf-8", "replace"))
        if found.bad:
            raise InvalidInput(
                str(sensors), f"line {found.bad[0].line}", f"every row good ({found.bad[0].reason})"
            )
        registry = found.sensors
    now = datetime.now(UTC) if received is None else from_us(time_of("--received", received))
    lines = decode_preview(topic, _read(file), registry, now, settings)
    for line in lines:
        typer.echo(json.dumps(line, ensure_ascii=False))
    raise typer.Exit(0 if all(line["stored"] for line in lines) else 1)


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput("file", str(file), f"a readable file ({error.strerror})") from error

"""Commands about messages that ingest could not understand: list them, show one, send them again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from services.cli.process import database_url, mqtt_url

if TYPE_CHECKING:
    from services.domain.rejection import RejectReason

app = typer.Typer(
    no_args_is_help=True,
    help="Look at messages that were rejected, and send them again after a fix.",
)

_BATCH = 500
_SHOWN = 90


@app.command("list")
def list_(
    reason: str | None = typer.Option(None, help="Only of this reason."),
    sensor: str | None = typer.Option(None, help="Only of this sensor."),
    everything: bool = typer.Option(False, "--all", help="Also those already dealt with."),
    limit: int = typer.Option(20, min=1, max=1000, help="At most so many, the newest first."),
) -> None:
    """List rejected messages with their reasons."""
    from rich.console import Console
    from rich.table import Table

    from services.store import rejected
    from services.store.connection import connect

    with connect(database_url(), "citygauge-rejected", autocommit=True) as conn:
        page = rejected.page(
            conn,
            limit=limit,
            state=None if everything else rejected.MessageState.NEW,
            reason=_reason(reason),
            sensor_id=sensor,
        )
        counts = rejected.counts(conn)
    table = Table("id", "received", "reason", "topic", "detail", box=None)
    for each in page.items:
        received = f"{each.received_at:%m-%d %H:%M:%S}Z"
        table.add_row(str(each.id), received, each.reason, each.topic, each.detail[:_SHOWN])
    Console(highlight=False).print(table)
    summary = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    typer.echo(f"waiting: {summary or 'none'}", err=True)


@app.command("show")
def show(number: int = typer.Argument(help="The id that `rejected list` shows.")) -> None:
    """Write one message's bytes to standard output, and what is known of it to stderr."""
    from services.store import rejected
    from services.store.connection import connect

    with connect(database_url(), "citygauge-rejected", autocommit=True) as conn:
        message = rejected.get(conn, number)
    cut = "" if message.whole else f", the first {len(message.payload)} are kept"
    typer.echo(
        f"{message.topic}\n{message.reason}: {message.detail}\n"
        f"{message.payload_bytes} bytes{cut}; {message.state}",
        err=True,
    )
    sys.stdout.buffer.write(message.payload)


@app.command("replay")
def replay(
    reason: str | None = typer.Option(None, help="Only of this reason."),
    sensor: str | None = typer.Option(None, help="Only of this sensor."),
    mqtt: str | None = typer.Option(
        None, "--mqtt-url", help="The broker; MQTT_URL when not given.", metavar="URL"
    ),
) -> None:
    """Publish waiting messages again on their topics, the oldest first, and mark them as replayed.

    What is still wrong comes back as a new rejection. A message of which only a part was kept stays where it is.
    """
    from services.store import rejected
    from services.store.connection import connect, transaction
    from simulators.publish import Publisher

    chosen = _reason(reason)
    sent = 0
    with (
        connect(database_url(), "citygauge-rejected", autocommit=True) as conn,
        Publisher(mqtt_url(mqtt), "citygauge-rejected-replay") as publisher,
    ):
        newest = next(iter(rejected.page(conn, limit=1).items), None)
        while True:
            with transaction(conn):
                found = rejected.replayable(conn, limit=_BATCH, reason=chosen, sensor_id=sensor)
                found = [each for each in found if newest is not None and each.id <= newest.id]
                for message in found:
                    publisher.publish(message.topic, message.payload, message.readings)
                publisher.flush()
                for message in found:
                    rejected.mark(conn, message.id, rejected.MessageState.REPLAYED, "citygauge")
            sent += len(found)
            if not found:
                break
    typer.echo(f"{sent} messages sent again")


def _reason(text: str | None) -> RejectReason | None:
    from services.domain.errors import InvalidInput
    from services.domain.rejection import RejectReason

    if text is None:
        return None
    try:
        return RejectReason(text)
    except ValueError:
        raise InvalidInput("--reason", text, f"one of {', '.join(RejectReason)}") from None

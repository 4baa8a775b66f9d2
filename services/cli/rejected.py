"""Commands about messages that ingest could not understand: list them, show one, read them again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from services.cli.listing import listing, print_listing
from services.cli.process import database_url
from services.cli.times import time_of

if TYPE_CHECKING:
    from services.domain.rejection import RejectReason

app = typer.Typer(
    no_args_is_help=True,
    help="Look at messages that were rejected, read them again after a fix, or give them up.",
)

_SHOWN = 90


@app.command("list")
def list_(
    reason: str | None = typer.Option(None, help="Only of this reason."),
    sensor: str | None = typer.Option(None, help="Only of this sensor."),
    everything: bool = typer.Option(False, "--all", help="Also those already dealt with."),
    limit: int = typer.Option(20, min=1, max=1000, help="At most so many, the newest first."),
) -> None:
    """List rejected messages with their reasons."""

    from services.store import rejected
    from services.store.connection import connect

    chosen = _reason(reason)
    with connect(database_url(), "citygauge-rejected", autocommit=True) as conn:
        page = rejected.page(
            conn,
            limit=limit,
            state=None if everything else rejected.MessageState.NEW,
            reason=chosen,
            sensor_id=sensor,
        )
        counts = rejected.counts(conn)
    table = listing("id", "received", "reason", "topic", "detail")
    for each in page.items:
        received = f"{each.received_at:%m-%d %H:%M:%S}Z"
        table.add_row(str(each.id), received, each.reason, each.topic, each.detail[:_SHOWN])
    print_listing(table)
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
    number: list[int] | None = typer.Argument(
        None, help="Ids that `rejected list` shows; without them, all that are waiting."
    ),
    reason: str | None = typer.Option(None, help="Only of this reason."),
    sensor: str | None = typer.Option(None, help="Only of this sensor."),
) -> None:
    """Read waiting messages again, with today's sensors and decoders, and store what can be stored now.

    What is still wrong stays, with today's reason. A message of which only the beginning was kept stays too.
    """
    from services.cli.settings import Section, Sources
    from services.ingest.redo import replay_rejected
    from services.ingest.settings import IngestSettings
    from services.store.connection import connect

    sources = Sources.of_process()
    settings = sources.load(Section.INGEST, IngestSettings)
    with connect(database_url(sources), "citygauge-rejected", autocommit=True) as conn:
        done = replay_rejected(
            conn,
            settings,
            by="citygauge rejected replay",
            ids=number or None,
            reason=_reason(reason),
            sensor_id=sensor,
        )
    typer.echo(
        f"{done.replayed} messages done ({done.stored} readings stored, {done.duplicate} duplicates), "
        f"{done.stay} still rejected, {done.cut} not kept whole"
    )
    for each, count in done.reasons.most_common():
        typer.echo(f"  still rejected: {count} {each}", err=True)


@app.command("discard")
def discard(
    number: list[int] | None = typer.Argument(None, help="Ids that `rejected list` shows."),
    reason: str | None = typer.Option(None, help="Only of this reason."),
    sensor: str | None = typer.Option(None, help="Only of this sensor."),
    before: str | None = typer.Option(
        None, metavar="TIME", help="Only those that came before this time (2026-03-02T00:00:00Z)."
    ),
    everything: bool = typer.Option(False, "--all", help="All that are waiting."),
) -> None:
    """Give waiting messages up: nobody will read them again, and `citygauge maintain` removes them some day.

    Their readings stay counted as rejected.
    """
    from services.domain.errors import InvalidInput
    from services.domain.instant import from_us
    from services.store import rejected
    from services.store.connection import connect

    chosen = _reason(reason)
    until = None if before is None else from_us(time_of("--before", before))
    if not (number or reason or sensor or before or everything):
        raise InvalidInput("number", None, "ids, --reason, --sensor, --before, or --all")
    with connect(database_url(), "citygauge-rejected", autocommit=True) as conn:
        count = rejected.discard(
            conn,
            "citygauge rejected discard",
            ids=number or None,
            reason=chosen,
            sensor_id=sensor,
            before=until,
        )
    typer.echo(f"{count} messages given up")


def _reason(text: str | None) -> RejectReason | None:
    from services.domain.errors import InvalidInput
    from services.domain.rejection import RejectReason

    if text is None:
        return None
    try:
        return RejectReason(text)
    except ValueError:
        raise InvalidInput("--reason", text, f"one of {', '.join(RejectReason)}") from None

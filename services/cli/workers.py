"""Commands about ingest's workers: who shares the subscription, and how to end the session of one that is gone."""

from __future__ import annotations

import typer

from services.cli.listing import listing, print_listing
from services.cli.process import database_url, mqtt_url, start_log, stop_on_signals

app = typer.Typer(
    no_args_is_help=True,
    help="See which ingest workers share the subscription, and forget one that will not come back.",
)


@app.command("list")
def list_() -> None:
    """List the workers that have not left; the broker keeps a share for each, also for one that is away."""

    from services.store import membership
    from services.store.connection import connect

    with connect(database_url(), "citygauge-workers", autocommit=True) as conn:
        found = membership.members(conn)
    table = listing("worker", "state", "started", "seen", "holds", "subscription")
    for each in found:
        state = "away" if each.away and each.state is membership.State.WORKING else each.state.value
        table.add_row(
            each.name,
            state,
            f"{each.started_at:%m-%d %H:%M:%S}Z",
            f"{each.silent_s:.0f} s ago",
            str(each.in_flight),
            each.subscription or "",
        )
    print_listing(table)


@app.command("forget")
def forget(
    worker: str = typer.Argument(help="The name that `workers list` shows."),
    longest_s: float = typer.Option(
        600.0, min=1.0, help="Give up after so many seconds; what is left stays at the broker."
    ),
    force: bool = typer.Option(
        False, help="Also where the worker is alive, or the last one of its share group."
    ),
) -> None:
    """Store what the broker still holds for a worker that will not come back, and end its session.

    Needs DATABASE_URL and MQTT_URL, and the topics and the share group that the worker had. Do it before the session
    expires: then the broker throws its share away.
    """
    from services.cli.settings import Section, Sources
    from services.ingest.forget import forget as end
    from services.ingest.settings import IngestSettings

    sources = Sources.of_process()
    settings = sources.load(Section.INGEST, IngestSettings)
    settings = IngestSettings.model_validate({**settings.model_dump(), "worker": worker})
    database, broker = database_url(sources), mqtt_url(sources=sources)
    start_log()
    done = end(settings, database, broker, longest_s=longest_s, force=force, stop=stop_on_signals())
    session = "its session is ended" if done.known else "the broker knew no session of it"
    if not done.ended:
        typer.echo(
            f"{done.messages} messages stored; not finished: run the command again", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"{worker} is forgotten: {done.messages} messages stored, {session}")

"""`citygauge notify`: tell people of alerts, send a test by a route, and say what the routes do."""

from __future__ import annotations

import typer

from services.cli.listing import listing, print_listing
from services.cli.process import database_url, start_log, stop_on_signals
from services.cli.settings import Section, Sources

app = typer.Typer(invoke_without_command=True)


@app.callback()
def notify(context: typer.Context) -> None:
    """Tell people of alerts, through the routes in the settings.

    Needs DATABASE_URL. What could not be delivered is tried again, also after a restart.
    """
    if context.invoked_subcommand is not None:
        return
    from services.notify.service import run
    from services.notify.settings import NotifySettings

    sources = Sources.of_process()
    settings = sources.load(Section.NOTIFY, NotifySettings)
    database = database_url(sources)
    start_log()
    run(settings, database, stop_on_signals())


@app.command("test")
def send(
    route: str = typer.Argument(help="The route's name, as the settings have it."),
) -> None:
    """Send one real message by a route; it says that it is a test.

    No alert is made. Only a CAP feed needs DATABASE_URL; the message is published with status Test. Exit status 1 if
    the other side did not take it: the sentence says why.
    """
    from services.cli.route_settings import send_test_by
    from services.notify.settings import CapRoute, NotifySettings

    sources = Sources.of_process()
    settings = sources.load(Section.NOTIFY, NotifySettings)
    publishes = any(isinstance(each, CapRoute) and each.name == route for each in settings.routes)
    message, receipt = send_test_by(settings, route, database_url(sources) if publishes else None)
    answer = f"; it answered: {receipt}" if receipt else ""
    typer.echo(f"the route {route} took the message {message}{answer}")


@app.command()
def routes() -> None:
    """Show the routes: whom each tells of what, when, and who is told next. Secrets are not shown."""

    from services.notify.settings import NotifySettings, Route

    def rest(route: Route) -> str:
        usual = type(route).model_fields
        shown = {
            name: value
            for name in usual
            if name not in {"name", "channel", "minimal_severity", "events"}
            and (value := getattr(route, name)) != usual[name].default
        }
        return "\n".join(f"{name} = {_plain(value)}" for name, value in shown.items())

    settings = Sources.of_process().load(Section.NOTIFY, NotifySettings)
    table = listing("route", "channel", "from severity", "tells", "and")
    for each in settings.routes:
        events = ", ".join(kind.value for kind in each.events)
        table.add_row(
            each.name, each.channel.value, each.minimal_severity.value, events, rest(each)
        )
    print_listing(table)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(getattr(each, "value", each)) for each in value)
    return str(getattr(value, "value", value))

"""Commands that bring the schema up to date and run one service each, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import typer

from services.cli.process import database_url, mqtt_url, start_log, stop_on_signals
from services.cli.settings import Section, Sources


def migrate(
    check: bool = typer.Option(
        False, "--check", help="Change nothing; exit with status 1 if a migration is missing."
    ),
) -> None:
    """Bring the database's schema up to date.

    Safe to repeat, and to run from several places at once: one works, the others wait.
    """
    from services.store.migrations import migrate as apply
    from services.store.migrations import pending

    url = database_url()
    if check:
        missing = pending(url)
        typer.echo(f"missing: {', '.join(missing)}" if missing else "the schema is up to date")
        raise typer.Exit(1 if missing else 0)
    applied = apply(url, lambda sentence: typer.echo(sentence, err=True))
    typer.echo(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


def ingest() -> None:
    """Take readings from the broker and store them, exactly once each.

    Needs MQTT_URL and DATABASE_URL. Messages are acknowledged after they are committed; a message that cannot be
    understood is kept with its reason (`citygauge rejected list`).
    """
    from services.ingest.service import run
    from services.ingest.settings import IngestSettings

    sources = Sources.of_process()
    settings = sources.load(Section.INGEST, IngestSettings)
    database, broker = database_url(sources), mqtt_url(sources=sources)
    start_log()
    run(settings, database, broker, stop_on_signals())


def detect() -> None:
    """Watch the stored readings for leaks, congestion and silent or stuck sensors, and raise alerts.

    Needs DATABASE_URL. A restart goes on where it stopped: no alert is repeated and none is forgotten.
    """
    from services.detect.detector_settings import DetectorSettings
    from services.detect.service import run
    from services.detect.settings import DetectSettings

    sources = Sources.of_process()
    settings = sources.load(Section.DETECT, DetectSettings)
    detectors = sources.load(Section.DETECTORS, DetectorSettings)
    database = database_url(sources)
    start_log()
    run(settings, database, stop_on_signals(), detectors)


def notify() -> None:
    """Tell people of alerts, through the channels in the settings.

    Needs DATABASE_URL. What could not be delivered is tried again, also after a restart.
    """
    from services.notify.service import run
    from services.notify.settings import NotifySettings

    sources = Sources.of_process()
    settings = sources.load(Section.NOTIFY, NotifySettings)
    database = database_url(sources)
    start_log()
    run(settings, database, stop_on_signals())


def api() -> None:
    """Serve the HTTP API under /v1, its documentation under /docs, and the operators' console at /.

    Needs DATABASE_URL. It listens on loopback unless told otherwise, and asks for an API key
    (`citygauge keys create`).
    """
    from services.api.service import run
    from services.api.settings import ApiSettings

    sources = Sources.of_process()
    settings = sources.load(Section.API, ApiSettings)
    database = database_url(sources)
    start_log()
    run(settings, database, stop_on_signals())

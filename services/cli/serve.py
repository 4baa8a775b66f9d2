"""Commands that bring the schema up to date and run one service each, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import typer

from services.cli.process import database_url, mqtt_url, start_log, stop_on_signals
from services.cli.settings import Section, Sources
from services.domain.errors import Unavailable

_LOOK_S: Final = 0.02


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


def ingest(
    spool: Path | None = typer.Option(
        None,
        help="Folder of a local spool: while the database is away, messages are put by there and acknowledged.",
    ),
) -> None:
    """Take readings from the broker and store them, exactly once each.

    Needs MQTT_URL and DATABASE_URL. Messages are acknowledged after they are committed; a message that cannot be
    understood is kept with its reason (`citygauge rejected list`).
    """
    from services.ingest.service import run
    from services.ingest.settings import IngestSettings

    sources = Sources.of_process()
    settings = sources.load(Section.INGEST, IngestSettings)
    if spool is not None:
        settings = settings.model_copy(update={"spool_folder": str(spool)})
    database, broker = database_url(sources), mqtt_url(sources=sources)
    start_log()
    run(settings, database, broker, stop_on_signals())


def detect(
    wait_for: Path | None = typer.Option(
        None, help="Be ready, and begin when this file is there.", hidden=True
    ),
) -> None:
    """Watch the stored readings for leaks, congestion and silent or stuck sensors, raise alerts, and keep the rollups.

    Needs DATABASE_URL. A restart goes on where it stopped: no alert is repeated and none is forgotten.
    """
    from services.cli.rollups import rollups_kept
    from services.detect.detector_settings import DetectorSettings
    from services.detect.service import run
    from services.detect.settings import DetectSettings

    sources = Sources.of_process()
    settings = sources.load(Section.DETECT, DetectSettings)
    detectors = sources.load(Section.DETECTORS, DetectorSettings)
    database = database_url(sources)
    start_log()
    stop = stop_on_signals()
    while wait_for is not None and not wait_for.exists() and not stop.wait(_LOOK_S):
        pass
    with rollups_kept(database, stop):
        run(settings, database, stop, detectors)


def api() -> None:
    """Serve the HTTP API under /v1, its documentation under /docs, and the operators' console at /.

    Needs DATABASE_URL. It listens on loopback unless told otherwise, and asks for an API key: the first one is made
    at the first start and left in a file that only you can read; `citygauge keys create` makes more.
    """
    from services.api.service import run
    from services.api.settings import ApiSettings
    from services.cli.beside_api import neighbours

    sources = Sources.of_process()
    settings = sources.load(Section.API, ApiSettings)
    database = database_url(sources)
    beside = neighbours(sources, settings, database)
    start_log()
    _leave_first_key(database, Path(settings.first_key_file or _state_folder() / "api-key"))
    run(settings, database, stop_on_signals(), neighbours=beside)


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    return Path(state) / "citygauge" if state else Path.home() / ".local/state/citygauge"


def _leave_first_key(database: str, path: Path) -> None:
    """Make the first key where there is none. Without one the API still starts: keys can be made later."""
    from services.api.keys import ensure_first_key
    from services.store.migrations import pending

    try:
        if pending(database):
            typer.echo("The schema is not up to date: run `citygauge migrate`.", err=True)
            return
        secret = ensure_first_key(database, path)
    except Unavailable as error:
        typer.echo(f"No API key was looked for: {error}", err=True)
    except OSError as error:
        typer.echo(
            f"No API key was made: {path} cannot be written ({error.strerror}). "
            "Set api.first_key_file, or run `citygauge keys create`.",
            err=True,
        )
    else:
        if secret is not None:
            # A log is not a place for secrets: only a person at a terminal is shown the key itself.
            shown = f": {secret}" if sys.stderr.isatty() else ""
            typer.echo(f"The first API key is in {path}{shown}", err=True)

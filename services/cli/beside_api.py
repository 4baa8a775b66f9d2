"""What the other services do for the API, with the settings that this process was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from services.cli.settings import Section, Sources
from services.domain.errors import SettingError

if TYPE_CHECKING:
    from services.api.neighbours import Neighbours, Replay
    from services.api.settings import ApiSettings
    from services.ingest.settings import IngestSettings
    from services.store.connection import Connection


def neighbours(sources: Sources, settings: ApiSettings, database_url: str) -> Neighbours:
    """The rules' settings, the detectors to try others with, the routes, and ingest to read messages again."""
    from services.api.neighbours import Neighbours
    from services.cli.previewer import ProcessPreviewer
    from services.cli.route_settings import routes_of
    from services.cli.rule_settings import rules_of
    from services.detect.detector_settings import DetectorSettings
    from services.detect.settings import DetectSettings
    from services.ingest.settings import IngestSettings
    from services.notify.settings import NotifySettings

    detectors = sources.load(Section.DETECTORS, DetectorSettings)
    warm_days = sources.load(Section.DETECT, DetectSettings).warm_days
    previewer = ProcessPreviewer(
        database_url, detectors, warm_days, settings.preview_memory_bytes, settings.preview_s
    )
    try:
        routes = routes_of(sources.load(Section.NOTIFY, NotifySettings), database_url)
    except SettingError as error:  # the notifier's to mend; people are served all the same
        typer.echo(f"The console cannot test routes: {error}", err=True)
        routes = None
    again = replay_with(sources.load(Section.INGEST, IngestSettings))
    return Neighbours(rules_of(detectors), previewer, routes, again)


def replay_with(settings: IngestSettings) -> Replay:
    """Ingest's own way of reading rejected messages again, with these settings."""
    from services.ingest.redo import replay_rejected

    def replay(connection: Connection, ids: Sequence[int], by: str) -> Mapping[str, Any]:
        done = replay_rejected(connection, settings, by=by, ids=ids)
        return {**asdict(done), "reasons": {str(name): n for name, n in done.reasons.items()}}

    return replay

"""What the other services do for the API, with the settings that this process was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from services.cli.settings import Section, Sources
from services.domain.errors import SettingError

if TYPE_CHECKING:
    from services.api.neighbours import Neighbours
    from services.api.settings import ApiSettings


def neighbours(sources: Sources, settings: ApiSettings, database_url: str) -> Neighbours:
    """The rules' settings to be read, the detectors to try others with, and the routes to be seen and tried."""
    from services.api.neighbours import Neighbours
    from services.cli.previewer import ProcessPreviewer
    from services.cli.route_settings import routes_of
    from services.cli.rule_settings import rules_of
    from services.detect.detector_settings import DetectorSettings
    from services.detect.settings import DetectSettings
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
    return Neighbours(rules_of(detectors), previewer, routes)

"""What the other services do for the API, with the settings that this process was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.cli.settings import Section, Sources

if TYPE_CHECKING:
    from services.api.neighbours import Neighbours
    from services.api.settings import ApiSettings


def neighbours(sources: Sources, settings: ApiSettings, database_url: str) -> Neighbours:
    """The rules' settings to be read, and the detectors to try others with."""
    from services.api.neighbours import Neighbours
    from services.cli.previewer import ProcessPreviewer
    from services.cli.rule_settings import rules_of
    from services.detect.detector_settings import DetectorSettings
    from services.detect.settings import DetectSettings

    detectors = sources.load(Section.DETECTORS, DetectorSettings)
    warm_days = sources.load(Section.DETECT, DetectSettings).warm_days
    previewer = ProcessPreviewer(
        database_url, detectors, warm_days, settings.preview_memory_bytes, settings.preview_s
    )
    return Neighbours(rules_of(detectors), previewer)

"""What was added to an alert's event: a comment, a reason, a verdict, or that a whole event is over with it.

It refuses to translate what people wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from services.domain.alert import AlertEvent
from services.domain.sentences.language import in_english
from services.domain.sentences.said import Said, count, phrase


def note_of(event: AlertEvent) -> tuple[str | None, Mapping[str, object] | None]:
    """What was added to the event, and as data where the words are ours."""
    data = event.data
    whole = data.get("group_over")
    if isinstance(whole, Mapping):
        values = {"alerts": count(whole["alerts"]), "started": {"time": whole["started_at"]}}
        over = Said((phrase("message.group_over", **values),), None, _zone_of(event))
        return in_english(over), over.as_dict()
    if isinstance(words := data.get("comment"), str):
        return words, None
    if isinstance(words := data.get("reason"), str):
        said = data.get("said")
        return words, said if isinstance(said, Mapping) else None
    if isinstance(verdict := data.get("verdict"), str):
        return verdict, Said((phrase(f"verdict.{verdict}"),), None, "UTC").as_dict()
    return None, None


def _zone_of(event: AlertEvent) -> str:
    said = event.data.get("said")
    zone = said.get("time_zone") if isinstance(said, Mapping) else None
    return zone if isinstance(zone, str) else "UTC"

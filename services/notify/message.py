"""What is told of one alert event: the same words on every attempt and every channel, safe to put on one line.

It refuses control characters: text of sensors and people cannot begin a new header, a new line of a log, or turn
the reading direction.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.condition import Severity

_VERBS: Final[Mapping[EventKind, str]] = {
    EventKind.RAISED: "New",
    EventKind.UPDATED: "Update",
    EventKind.ESCALATED: "Worse",
    EventKind.CLEARED: "Over",
    EventKind.ACKNOWLEDGED: "Taken over",
    EventKind.ASSIGNED: "Assigned",
    EventKind.PROGRESSED: "Work",
    EventKind.SHELVED: "Shelved",
    EventKind.UNSHELVED: "Back from the shelf",
    EventKind.SUPPRESSED: "Held back",
    EventKind.UNSUPPRESSED: "Still there",
    EventKind.COMMENTED: "Comment",
    EventKind.RESOLVED: "Resolved",
}
_GROWING: Final = frozenset({EventKind.RAISED, EventKind.UPDATED, EventKind.ESCALATED})
_TITLE_LENGTH: Final = 160
_TEXT_LENGTH: Final = 4000


@dataclass(frozen=True, slots=True)
class Message:
    """One alert event, as it is told.

    Attributes:
        event_id: stable over retries; receivers drop what they have seen by it.
        at: when it happened, aware UTC; started_at: when the event began in the data.
        sentence: what the detector said of it; detail: what a person added (comment, reason, verdict), if anything.
        test: whether it only tests a route.
    """

    event_id: uuid.UUID
    kind: EventKind
    alert_id: uuid.UUID
    rule: str
    subject: str
    severity: Severity
    sentence: str
    detail: str | None
    started_at: datetime
    at: datetime
    actor: str
    evidence: Mapping[str, object]
    test: bool = False

    @property
    def title(self) -> str:
        """One line: severity, what happened, the sentence as far as it fits."""
        mark = "TEST, nothing happened. " if self.test else ""
        return one_line(
            f"[{self.severity}] {mark}{_VERBS[self.kind]}: {self.sentence}", _TITLE_LENGTH
        )

    @property
    def text(self) -> str:
        """A few lines of plain text."""
        rows = [
            one_line(self.sentence, _TEXT_LENGTH),
            "",
            f"Alert: {one_line(self.rule)} at {one_line(self.subject)}, {self.severity}",
            f"What happened: {_VERBS[self.kind]}, {_moment(self.at)}, by {one_line(self.actor)}",
            f"Began: {_moment(self.started_at)}",
        ]
        if self.detail is not None:
            rows.append(f"Note: {one_line(self.detail, _TEXT_LENGTH)}")
        rows.append(f"Alert id: {self.alert_id}")
        if self.test:
            rows.insert(0, "This is a test of the route. Nothing happened.")
        return "\n".join(rows) + "\n"

    def as_dict(self) -> dict[str, object]:
        """Plain JSON data of it, for machines."""
        return {
            "event_id": str(self.event_id),
            "event": self.kind.value,
            "at": _moment(self.at),
            "actor": self.actor,
            "test": self.test,
            "detail": self.detail,
            "alert": {
                "id": str(self.alert_id),
                "rule": self.rule,
                "subject": self.subject,
                "severity": self.severity.value,
                "sentence": self.sentence,
                "started_at": _moment(self.started_at),
                "evidence": dict(self.evidence),
            },
        }


def message_of(event: AlertEvent, alert: Alert) -> Message:
    """The message of an event of `alert`: its own sentence and severity where it has them, else the alert's."""
    data = event.data
    notes = (data.get(name) for name in ("comment", "reason", "verdict"))
    detail = next((note for note in notes if isinstance(note, str)), None)
    whole = data.get("group_over")
    if isinstance(whole, Mapping):
        detail = (
            f"With this the whole event is over: {whole.get('alerts')} alerts, "
            f"the first since {whole.get('started_at')}."
        )
    sentence, evidence = data.get("sentence"), data.get("evidence")
    return Message(
        event_id=event.id,
        kind=event.kind,
        alert_id=alert.id,
        rule=alert.rule.value,
        subject=alert.subject,
        severity=severity_of(event, alert),
        sentence=sentence if isinstance(sentence, str) else alert.sentence,
        detail=detail,
        started_at=alert.started_at,
        at=event.at,
        actor=event.actor,
        evidence=evidence if isinstance(evidence, Mapping) else alert.evidence,
    )


def severity_of(event: AlertEvent, alert: Alert) -> Severity:
    """How severe the event is: what began or grew worse by its own severity, all else by the worst of the alert."""
    severity = event.data.get("severity")
    if event.kind in _GROWING and isinstance(severity, str):
        return Severity(severity)
    return alert.severity


def one_line(text: str, limit: int = 200) -> str:
    """The text on one line: control, format and separator characters become spaces, runs of spaces one."""
    plain = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text)
    line = " ".join(plain.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

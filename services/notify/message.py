"""What is told of one alert event: the same words on every attempt and every channel, safe to put on one line.

It refuses control characters: text of sensors and people cannot begin a new header, a new line of a log, or turn
the reading direction.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.condition import Severity
from services.domain.sentences.language import ENGLISH, LANGUAGES, in_language, language_of
from services.notify.note import note_of
from services.notify.template import filled
from services.store.telling.delivery import Reason
from services.store.telling.sites import NOWHERE, Site

GROWING: Final = frozenset(
    {
        EventKind.RAISED,
        EventKind.UPDATED,
        EventKind.ESCALATED,
        EventKind.UNSHELVED,
        EventKind.UNSUPPRESSED,
    }
)
"""Kinds that say that something burns, and how badly; all others say what became of it."""
ITSELF: Final = frozenset({"detector", "citygauge"})
"""Actors that are no person."""
TEST: Final = "test"
"""What a test has for a rule."""
_FEW_ZONES: Final = 3
_TITLE_LENGTH: Final = 160
_TEXT_LENGTH: Final = 4000
_NONE: Final = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Message:
    """One alert event, as it is told.

    Attributes:
        message_id: stable over retries; receivers drop what they have seen by it. That of a first telling is the
            event's id, each repetition has another one.
        at: when it happened, aware UTC; started_at: when the event began in the data.
        sentence: what the detector said of it, in `language` (which the other words are in, too); said: the same as
            data, where there is such; detail: what a person added (comment, reason, verdict), if anything; note: the
            same as data, where the words are ours.
        group_id: the alert with which the same event was first told.
        site: where it is; link: the alert's address in the console.
        round: 0, or the how-manieth repetition it is; reason: why it is told.
        title_template, text_template: as the route wants it worded.
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
    message_id: uuid.UUID = _NONE
    group_id: uuid.UUID = _NONE
    score: float = 1.0
    site: Site = NOWHERE
    link: str | None = None
    round: int = 0
    reason: Reason = Reason.ROUTED
    title_template: str | None = None
    text_template: str | None = None
    said: Mapping[str, object] | None = None
    note: Mapping[str, object] | None = None
    language: str = ENGLISH

    def __post_init__(self) -> None:
        for name, default in (("message_id", self.event_id), ("group_id", self.alert_id)):
            if getattr(self, name) == _NONE:
                object.__setattr__(self, name, default)

    @property
    def what(self) -> str:
        """What happened, in a word or two."""
        if self.reason is Reason.REPEATED:
            return self._word("message.reminder", round=str(self.round))
        if self.reason is Reason.ESCALATED and self.kind in GROWING:
            return self._word("message.nobody")
        return self._word(f"message.{self.kind.value}")

    @property
    def thread_id(self) -> uuid.UUID:
        """Messages of one alert belong together."""
        return self.alert_id

    @property
    def title(self) -> str:
        """One line: severity, what happened, the sentence as far as it fits; or as the route's template has it."""
        mark = self._word("message.test_title") + " " if self.test else ""
        if self.title_template is not None:
            return one_line(mark + filled(self.title_template, self._words()), _TITLE_LENGTH)
        severity = self._word(f"severity.{self.severity.value}")
        return one_line(f"[{severity}] {mark}{self.what}: {self.sentence}", _TITLE_LENGTH)

    @property
    def rule_words(self) -> str:
        """The rule as people call it."""
        key = "message.test_subject" if self.rule == TEST else f"rule.{self.rule}"
        return self._word(key) if key in LANGUAGES[ENGLISH].sentences else one_line(self.rule)

    @property
    def place(self) -> str:
        """Where it is: name, road and direction, zones as far as a few; the subject where nothing is known."""
        count = len(self.site.zones)
        zones = self._word("place.zones", count=str(count)) if count > _FEW_ZONES else None
        return self.site.words(zones)

    @property
    def text(self) -> str:
        """A few lines of plain text."""
        mark = self._word("message.test") + "\n" if self.test else ""
        if self.text_template is not None:
            return mark + filled(self.text_template, self._words()).rstrip("\n") + "\n"
        words = self._words()
        rows = [
            one_line(self.sentence, _TEXT_LENGTH),
            "",
            self._word(
                "message.alert",
                rule=self.rule_words,
                subject=words["subject"],
                severity=words["severity"],
            ),
            self._word("message.happened", what=self.what, at=words["at"], actor=words["actor"]),
            self._word("message.began", started=words["started"]),
        ]
        if self.site.subject:
            rows.append(self._word("message.where", place=words["place"]))
        if self.detail is not None:
            rows.append(self._word("message.note", note=words["note"]))
        if self.link is not None:
            rows.append(self._word("message.open", link=self.link))
        rows.append(self._word("message.id", id=str(self.alert_id)))
        return mark + "\n".join(rows) + "\n"

    def in_language(self, tag: str) -> Message:
        """The same in a language; as it is where the alert has its English sentence alone, so that nothing is mixed."""
        code = language_of(tag)
        if code is None or code == self.language:
            return self
        sentence = in_language(self.said, code)
        return self if sentence is None else replace(self, sentence=sentence, language=code)

    def _word(self, key: str, **values: str) -> str:
        return LANGUAGES[self.language].words(key, **values)

    def _words(self) -> Mapping[str, str]:
        """What templates take, each on one line."""
        return {
            "severity": self._word(f"severity.{self.severity.value}"),
            "what": self.what,
            "sentence": one_line(self.sentence, _TEXT_LENGTH),
            "rule": one_line(self.rule),
            "subject": one_line(self.subject),
            "place": one_line(self.place),
            "started": _moment(self.started_at),
            "at": _moment(self.at),
            "actor": "Citygauge" if self.actor in ITSELF else one_line(self.actor),
            "note": one_line(
                in_language(self.note, self.language) or self.detail or "", _TEXT_LENGTH
            ),
            "alert_id": str(self.alert_id),
            "link": self.link or "",
        }

    def as_dict(self) -> dict[str, object]:
        """Plain JSON data of it, for machines."""
        site = self.site
        return {
            "message_id": str(self.message_id),
            "event_id": str(self.event_id),
            "event": self.kind.value,
            "at": _moment(self.at),
            "actor": self.actor,
            "reason": self.reason.value,
            "repetition": self.round,
            "test": self.test,
            "detail": self.detail,
            "link": self.link,
            "alert": {
                "id": str(self.alert_id),
                "group_id": str(self.group_id),
                "rule": self.rule,
                "subject": self.subject,
                "severity": self.severity.value,
                "sentence": self.sentence,
                "language": self.language,
                "started_at": _moment(self.started_at),
                "evidence": dict(self.evidence),
            },
            "place": {
                "name": site.name,
                "domains": sorted(site.domains),
                "zones": sorted(site.zones),
                "road": site.road,
                "direction": site.direction,
                "lon": site.lon,
                "lat": site.lat,
                "time_zone": site.time_zone,
            },
        }


def message_of(event: AlertEvent, alert: Alert) -> Message:
    """The message of an event of `alert`: its own sentence and severity where it has them, else the alert's."""
    data = event.data
    detail, note = note_of(event)
    sentence, said, evidence = data.get("sentence"), data.get("said"), data.get("evidence")
    own = isinstance(sentence, str)
    kept = said if own else alert.said
    return Message(
        event_id=event.id,
        kind=event.kind,
        alert_id=alert.id,
        rule=alert.rule.value,
        subject=alert.subject,
        severity=severity_of(event, alert),
        sentence=str(sentence) if own else alert.sentence,
        said=kept if isinstance(kept, Mapping) else None,
        detail=detail,
        note=note,
        started_at=alert.started_at,
        at=event.at,
        actor=event.actor,
        evidence=evidence if isinstance(evidence, Mapping) else alert.evidence,
        group_id=alert.group_id or alert.id,
        score=alert.score,
    )


def severity_of(event: AlertEvent, alert: Alert) -> Severity:
    """How severe the event is: what began or grew worse by its own severity, all else by the worst of the alert."""
    severity = event.data.get("severity")
    if event.kind in GROWING and isinstance(severity, str):
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

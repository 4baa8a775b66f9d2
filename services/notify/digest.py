"""Many messages as one: a line for each, the worst severity of them all, one id that stays the same over attempts."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from services.domain.condition import Severity
from services.domain.sentences.language import ENGLISH, LANGUAGES, language_of
from services.notify.message import Message, one_line

_LINE_LENGTH: Final = 300
KIND: Final = "digest"


@dataclass(frozen=True, slots=True)
class DigestMessage:
    """What a route held back, told at once.

    Attributes:
        message_id: stable over retries.
        messages: at least one, in the order of the log.
        at: when it was gathered, aware UTC.
        language: tag of its own words; each message is in its own.
    """

    message_id: uuid.UUID
    messages: Sequence[Message]
    at: datetime
    language: str = ENGLISH
    test: bool = False

    @property
    def severity(self) -> Severity:
        """The worst of them."""
        return max((each.severity for each in self.messages), key=lambda each: each.rank)

    @property
    def thread_id(self) -> uuid.UUID:
        """A digest stands for itself."""
        return self.message_id

    @property
    def title(self) -> str:
        """One line: how many of what."""
        counts = Counter(each.severity for each in self.messages)
        say = LANGUAGES[language_of(self.language) or ENGLISH].words
        words = {each: say(f"severity.{each.value}") for each in Severity}
        listed = [f"{counts[each]} {words[each]}" for each in reversed(Severity) if counts[each]]
        what = say("message.digest", count=str(len(self.messages)), counts=", ".join(listed))
        return f"[{words[self.severity]}] {what}"

    @property
    def text(self) -> str:
        """A line for each message."""
        rows = [
            one_line(f"{each.at:%Y-%m-%d %H:%M}Z {each.title}", _LINE_LENGTH)
            + (f"\n    {each.link}" if each.link else "")
            for each in self.messages
        ]
        head = LANGUAGES[language_of(self.language) or ENGLISH].words("message.digest_head")
        return "\n".join([head, "", *rows]) + "\n"

    def as_dict(self) -> dict[str, object]:
        """Plain JSON data of it, for machines."""
        return {
            "message_id": str(self.message_id),
            "event": KIND,
            "at": self.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "test": self.test,
            "messages": [each.as_dict() for each in self.messages],
        }


Told: TypeAlias = Message | DigestMessage
"""What channels tell."""

"""What is wrong with a rejected message: its English sentence from a template, and the template found again in it.

A rejected message keeps the English sentence alone, as it always has; which template it was made of, and with what, is
read from the sentence when somebody wants it in another language. It refuses to translate what others
said: words of the database or of a fault stand in it as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.domain.rejection import RejectReason
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.recalled import recalled
from services.domain.sentences.said import Phrase, Said, phrase

DETAIL: Final = "detail"
"""Keys of templates begin with it: detail.<reason>.<which>; part.<which> are words that can stand in them."""
_PART: Final = "part."
_ENGLISH: Final = LANGUAGES[ENGLISH]
_PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {text: key for key, text in _ENGLISH.sentences.items() if key.startswith((_PART, "domain."))}
)
_OURS: Final = frozenset({"domain", "error", "field", "rule", "type"})
"""Places that our own words can fill; what a device sent is never translated."""


def detail(reason: RejectReason, which: str, **values: object) -> str:
    """The English sentence that is kept with a rejected message."""
    words = {name: str(value) for name, value in values.items()}
    return _ENGLISH.words(f"{DETAIL}.{reason}.{which}", **words)


def part(which: str) -> str:
    """Words that can stand in a detail, in English."""
    return _ENGLISH.words(_PART + which)


def of_fault(error: Exception) -> str:
    """The detail of a message at which our own program failed."""
    text = f"{type(error).__name__}: {error}"[:200]
    return detail(RejectReason.DECODER_ERROR, "fault", error=text)


def of_database(error: Exception) -> str:
    """The detail of a reading that the database refused: the first line of what it said."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return detail(RejectReason.REFUSED_BY_DATABASE, "row", error=text)


def said_of(reason: RejectReason, text: str) -> Said | None:
    """What a kept sentence says and what can be done, as data; None where no template of the reason made it.

    Args:
        text: as `detail` made it, by this version or an earlier one.
    """
    found = recalled(f"{DETAIL}.{reason}.", text)
    if found is None:
        return None
    key, values = found
    what = phrase(key, **{name: _value(name, value) for name, value in values.items()})
    return Said((what,), phrase(f"remedy.{reason}"), "UTC")


def _value(name: str, text: str) -> str | Phrase:
    key = _PARTS.get(text) if name in _OURS else None
    return text if key is None else phrase(key)

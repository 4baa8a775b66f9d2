"""What is wrong with a rejected message: its English sentence from a template, and the template found again in it.

A rejected message keeps the English sentence alone, as it always has; which template it was made of, and with what, is
read from the sentence when somebody wants it in another language. It refuses to guess: words of the database or of a
fault have no template, and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from services.domain.rejection import RejectReason
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.said import Phrase, Said, phrase

DETAIL: Final = "detail"
"""Keys of templates begin with it: detail.<reason>.<which>; part.<which> are words that can stand in them."""
_PART: Final = "part."
_PLACE: Final = re.compile(r"\{(\w+)\}")
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


def said_of(reason: RejectReason, text: str) -> Said | None:
    """What a kept sentence says and what can be done, as data; None where no template of the reason made it.

    Args:
        text: as `detail` made it, by this version or an earlier one.
    """
    for key, pattern in _patterns(reason):
        found = pattern.fullmatch(text)
        if found is not None:
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            return Said((phrase(key, **values),), phrase(f"remedy.{reason}"), "UTC")
    return None


def _value(name: str, text: str) -> str | Phrase:
    key = _PARTS.get(text) if name in _OURS else None
    return text if key is None else phrase(key)


@cache
def _patterns(reason: RejectReason) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The reason's templates as patterns, those with the most words of their own first."""
    keys = [key for key in _ENGLISH.sentences if key.startswith(f"{DETAIL}.{reason}.")]
    keys.sort(key=lambda key: -len(_PLACE.sub("", _ENGLISH.sentences[key])))
    return tuple((key, re.compile("".join(_pattern(key)), re.DOTALL)) for key in keys)


def _pattern(key: str) -> Iterator[str]:
    for place, text in enumerate(_PLACE.split(_ENGLISH.sentences[key])):
        yield f"(?P<{text}>.*?)" if place % 2 else re.escape(text)

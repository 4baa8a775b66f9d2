"""Which template made an English sentence that was kept as text, and of what: so it can be said in other languages.

It refuses to guess: where no template made the text as a whole, nothing is recalled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from services.domain.sentences.language import ENGLISH, LANGUAGES

_PLACE: Final = re.compile(r"\{(\w+)\}")
_ENGLISH: Final = LANGUAGES[ENGLISH].sentences


def recalled(family: str, text: str) -> tuple[str, dict[str, str]] | None:
    """The template's key and its values.

    Args:
        family: what the keys of the templates begin with; those with the most words of their own are tried first.
        text: as this version or an earlier one made it.
    """
    for key, pattern in _patterns(family):
        found = pattern.fullmatch(text)
        if found is not None:
            return key, found.groupdict()
    return None


@cache
def _patterns(family: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    keys = [key for key in _ENGLISH if key.startswith(family)]
    keys.sort(key=lambda key: -len(_PLACE.sub("", _ENGLISH[key])))
    return tuple((key, re.compile("".join(_pattern(key)), re.DOTALL)) for key in keys)


def _pattern(key: str) -> Iterator[str]:
    for place, text in enumerate(_PLACE.split(_ENGLISH[key])):
        yield f"(?P<{text}>.*?)" if place % 2 else re.escape(text)

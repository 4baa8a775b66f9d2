"""What did not work and why, for people: an English sentence from a template, and the template found again in it.

What is kept and logged is the English sentence; a reader of another language gets it from its template. Words of the
other side (a mail server's answer, the database's) stay as they came. It refuses to translate what no template made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.recalled import recalled
from services.domain.sentences.said import Said, phrase

_FAMILY: Final = "problem."
_WHO: Final = re.compile(r"[\w.-]+ [\w.-]+ is not available: ")
"""Which channel and route it was is said where the problem is shown."""


def problem(which: str, **values: object) -> str:
    """The English sentence."""
    words = {name: str(value) for name, value in values.items()}
    return LANGUAGES[ENGLISH].words(_FAMILY + which, **words)


def said_of(text: str | None) -> Mapping[str, object] | None:
    """What a kept sentence says, as data; None where no template made it.

    Args:
        text: as `problem` made it, by this version or an earlier one, alone or as an `Unavailable` tells it.
    """
    found = None if text is None else recalled(_FAMILY, _WHO.sub("", text, count=1))
    if found is None:
        return None
    key, values = found
    return Said((phrase(key, **values),), None, "UTC").as_dict()

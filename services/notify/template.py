"""Templates of titles and texts: plain fields in braces, checked when the settings are read, filled without risk.

A field is replaced by text on one line; it refuses attributes, indices and formats, so a template reaches nothing but
the words that a message has.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Final

FIELDS: Final[Mapping[str, str]] = {
    "severity": "critical, warning or info",
    "what": "what happened, in a word or two",
    "sentence": "what was found, where, since when and why",
    "rule": "the rule",
    "subject": "the sensor, feed or gateway",
    "place": "the place in words",
    "started": "when it began",
    "at": "when this happened",
    "actor": "who did it",
    "note": "what a person added",
    "alert_id": "the alert's id",
    "link": "the alert's address in the console",
}
"""Field -> what it says."""
_LONGEST: Final = 2_000


def check_template(template: str) -> None:
    """Refuse a template that could not be filled.

    Raises:
        ValueError: with a sentence that says what is wrong and what would do.
    """
    if len(template) > _LONGEST:
        raise ValueError(f"a template has at most {_LONGEST} characters")
    known = ", ".join(FIELDS)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the template cannot be read: {error}; write {{{{ for a brace") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in FIELDS:
            raise ValueError(f"a template has no field {{{name}}}; there are {known}")
        if form or conversion:
            raise ValueError(f"{{{name}}} takes neither a format nor a conversion")
    if not any(name for _, name, _, _ in parts):
        raise ValueError(f"the template says nothing of the alert; its fields are {known}")


def filled(template: str, words: Mapping[str, str]) -> str:
    """The template with the words of a message in it; `words` has every field of FIELDS."""
    return "".join(
        text + ("" if name is None else words[name])
        for text, name, _, _ in Formatter().parse(template)
    )

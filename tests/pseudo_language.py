"""A language whose words are English in marks, ⟦so⟧: what is read without marks did not come from the catalogue.

Its tag is that of Greek, so that what the browser itself writes (months, weekdays, lengths of time) has no Latin
letter; names of the data have none either. Values that fill a text stand outside the marks and must be words of the
catalogue themselves, or data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from services.domain.sentences.language import CATALOGUE, LANGUAGES, speak_also

TAG: Final = "el"
NAME: Final = "Ελληνικά"
_PLACE: Final = re.compile(r"(\{\w+\^?\})")
_AS_THEY_ARE: Final = frozenset({"name", "decimal", "group", "grouped_from", "plurals"})
_MARKED: Final = re.compile(r"⟦[^⟦⟧]*[⟧…]")
_LATIN: Final = re.compile(r"[A-Za-z]{2,}[\w'-]*")
_DATA: Final = re.compile(
    r"Citygauge|Ana Torres|CSV|JSON|PARQUET|EUR|400 Bad Request|English|Español|\bUTC\b|\b[0-9a-f]{4,}(-[0-9a-f]{4,})+\b|https?://\S+"
    r"|(?<=[\d ])(L|m3|km|kPa|L/h|m3/h|km/h|EUR|gal|gal/h|mi|mph)\b"
)
"""Names of the product, a person, formats, languages; what the other side answered; ids, addresses, units."""


def marked(words: Any) -> Any:
    """The words in marks; what fills them stays outside."""
    if isinstance(words, str):
        parts = _PLACE.split(words)
        return "".join(part if at % 2 else _marked(part) for at, part in enumerate(parts))
    if isinstance(words, list):
        return [marked(each) for each in words]
    return {key: marked(each) for key, each in words.items()}


def _marked(text: str) -> str:
    return f"⟦{text}⟧" if re.search(r"\w", text) else text


def unmarked(text: str) -> list[str]:
    """Words in Latin letters that stand outside the marks and are no data."""
    while _MARKED.search(text):
        text = _MARKED.sub(" ", text)
    return _LATIN.findall(_DATA.sub(" ", text))


@contextmanager
def spoken() -> Iterator[Path]:
    """The language, dropped into a folder as one file, and spoken until the end; its file."""
    words = {key: text if key in _AS_THEY_ARE else marked(text) for key, text in CATALOGUE.items()}
    words["name"] = NAME
    with TemporaryDirectory(prefix="citygauge-languages-") as folder:
        path = Path(folder) / f"{TAG}.json"
        path.write_text(json.dumps(words), encoding="utf-8")
        speak_also(path.parent)
        try:
            yield path
        finally:
            del LANGUAGES[TAG]

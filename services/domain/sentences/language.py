"""The languages of sentences, and a sentence in one of them. One JSON file beside this one is one language.

The English templates are the ones that detection itself uses; a language that lacks a template says nothing, and the
reader gets the English sentence that was stored. It refuses to convert units.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.domain.sentences.said import Said

ENGLISH: Final = "en"
FOLDER: Final = Path(__file__).parent
_PLACE: Final = re.compile(r"\{(\w+)(\^?)\}")
_MANY: Final = 10_000
"""From here on litres are told as cubic metres, and figures are grouped in every language."""


@dataclass(frozen=True, slots=True)
class Language:
    """How one language says things.

    Attributes:
        name: of the language, in itself.
        decimal, group: signs in numbers; counts are grouped from `grouped_from` on.
        time: template of a moment, with weekday, day, month, clock.
        spans: unit of time -> its template for one and for all others.
        sentences: key -> template. {name} takes a value, {name^} with a capital letter.
        version: changes with the file.
    """

    name: str
    decimal: str
    group: str
    grouped_from: int
    time: str
    weekdays: Sequence[str]
    months: Sequence[str]
    spans: Mapping[str, Sequence[str]]
    sentences: Mapping[str, str]
    version: str

    def say(self, said: Mapping[str, Any]) -> tuple[str, str]:
        """What is said, and what to do first (empty where nothing is).

        Args:
            said: as `Said.as_dict` gives it.

        Raises:
            LookupError, TypeError, ValueError: it was made of other templates than there are.
        """
        zone = ZoneInfo(said["time_zone"])
        what = " ".join(self._filled(each, zone) for each in said["what"])
        first = said.get("first")
        return what, "" if first is None else self._filled(first, zone)

    def sentence(self, said: Mapping[str, Any]) -> str:
        """Both as one text."""
        what, act = self.say(said)
        return f"{what} {self.sentences['first'].format(act=act)}" if act else what

    def words(self, key: str, **values: str) -> str:
        """A short text of the catalogue."""
        return self.sentences[key].format(**values)

    def _filled(self, phrase: Mapping[str, Any], zone: ZoneInfo) -> str:
        values = phrase["values"]

        def fill(match: re.Match[str]) -> str:
            text = self._text(values[match[1]], zone)
            return text[:1].upper() + text[1:] if match[2] else text

        return _PLACE.sub(fill, self.sentences[phrase["key"]])

    def _text(self, value: Any, zone: ZoneInfo) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, Sequence):
            return "".join(self._filled(each, zone) for each in value)
        if "key" in value:
            return self._filled(value, zone)
        if "time" in value:
            return self._time(datetime.fromisoformat(value["time"]).astimezone(zone))
        return self._amount(value["value"], value["unit"], value.get("digits"))

    def _time(self, local: datetime) -> str:
        return self.time.format(
            weekday=self.weekdays[local.weekday()],
            day=local.day,
            month=self.months[local.month - 1],
            clock=f"{local:%H:%M}",
        )

    def _amount(self, value: float, unit: str, digits: int | None) -> str:
        if unit == "s":
            return self._span(value)
        if unit == "1":
            return self.number(value, digits or 0, self.grouped_from)
        if digits is not None:
            return f"{self.number(value, digits, self.grouped_from)} {unit}"
        if unit in ("L", "L/h") and abs(value) >= _MANY:
            return f"{self.number(value / 1000, 1)} m3{unit.removeprefix('L')}"
        return f"{self.number(value, _digits(value, unit))} {unit}"

    def _span(self, seconds: float) -> str:
        """'30 seconds', '45 minutes', '26 hours', '12 days'."""
        for unit, size, last in (("second", 1, 59.5), ("minute", 60, 119.5), ("hour", 3600, 71.5)):
            if seconds / size < last:
                return self._spanned(unit, max(1, _round(seconds)) if size == 1 else seconds / size)
        return self._spanned("day", seconds / 86_400)

    def _spanned(self, unit: str, length: float) -> str:
        whole = _round(length)
        return self.spans[unit][whole != 1].format(n=self.number(whole, 0, self.grouped_from))

    def number(self, value: float, digits: int, grouped_from: int = _MANY) -> str:
        """The value with so many decimals; half a last digit is rounded up, as browsers do."""
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        text = f"{rounded:,f}" if abs(rounded) >= grouped_from else f"{rounded:f}"
        return text.translate({ord(","): self.group, ord("."): self.decimal})


def _digits(value: float, unit: str) -> int:
    match unit:
        case "L/h":
            return 1 if abs(value) < 10 else 0
        case "km":
            return 1
        case "kPa":
            return 2
    return 0


def _round(value: float) -> int:
    return int(Decimal(value).quantize(Decimal(1), ROUND_HALF_UP))


def _load(path: Path) -> Language:
    plain = path.read_bytes()
    return Language(**json.loads(plain), version=hashlib.sha256(plain).hexdigest()[:32])


LANGUAGES: Final[Mapping[str, Language]] = {
    path.stem: _load(path) for path in sorted(FOLDER.glob("*.json"))
}
"""By ISO 639-1 code."""


def language_of(tag: str) -> str | None:
    """The language that a tag (RFC 5646: "es-MX") asks for; None where there are no sentences in it."""
    code = tag.lower().partition("-")[0]
    return code if code in LANGUAGES else None


def in_english(said: Said) -> str:
    """The sentence that is stored with an alert."""
    return LANGUAGES[ENGLISH].sentence(said.as_dict())


def in_language(said: object, language: str) -> str | None:
    """The sentence in a language; None where the alert was stored before it could be said, or by other templates.

    Args:
        said: what the alert or its event keeps beside the English sentence.
    """
    if not isinstance(said, Mapping) or language not in LANGUAGES:
        return None
    try:
        return LANGUAGES[language].sentence(said)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None

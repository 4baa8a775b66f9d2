"""The languages, and a sentence in one of them. One JSON file beside this one, or in a folder of yours, is a language.

The English templates are the ones that detection itself uses; a language that lacks a template says nothing, and the
reader gets the English sentence that was stored. docs/languages.md tells how to make one. It refuses to convert units.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.domain.sentences import plurals
from services.domain.sentences.catalogue_file import completed
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
        tag: by which it is asked for (RFC 5646), in small letters: "en", "pt", "pt-br".
        name: of the language, in itself.
        decimal, group: signs in numbers; counts are grouped from `grouped_from` on.
        plurals: form of a plural -> which counts take it (`plurals.py`); all others take "other".
        time: template of a moment, with weekday, day, month, clock.
        spans: unit of time -> form of a plural -> template.
        sentences: key -> template. {name} takes a value, {name^} with a capital letter.
        console: the console's words, by table and key.
        version: changes with the words.
    """

    tag: str
    name: str
    decimal: str
    group: str
    grouped_from: int
    plurals: Mapping[str, str]
    time: str
    weekdays: Sequence[str]
    months: Sequence[str]
    spans: Mapping[str, Mapping[str, str]]
    sentences: Mapping[str, str]
    console: Mapping[str, Any]
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
        """A short text of the catalogue; in English where the language lacks it."""
        template = self.sentences.get(key) or LANGUAGES[ENGLISH].sentences[key]
        return template.format(**values)

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
            return self.number(value, digits or 0)
        if digits is not None:
            return f"{self.number(value, digits)} {unit}"
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
        forms = self.spans[unit]
        template = forms.get(plurals.form(self.plurals, whole), forms[plurals.OTHER])
        return template.format(n=self.number(whole, 0))

    def number(self, value: float, digits: int) -> str:
        """The value with so many decimals; half a last digit is rounded up, as browsers do."""
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        text = f"{rounded:,f}" if abs(rounded) >= self.grouped_from else f"{rounded:f}"
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


def read_language(path: Path) -> dict[str, Any]:
    """A language's file as it is.

    Raises:
        OSError, ValueError: it cannot be read, or is no JSON object.
    """
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict):
        raise ValueError("a language is a JSON object, as en.json is")
    return content


def _language(given: Mapping[str, Any], tag: str) -> Language:
    whole = completed({"name": tag, **given}, CATALOGUE)
    version = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
    return Language(**whole, tag=tag, version=version)


def _of_folder(folder: Path) -> Iterator[tuple[str, Language]]:
    for path in sorted(folder.glob("*.json")):
        try:
            tag = path.stem.lower()
            yield tag, _language(read_language(path), tag)
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error


CATALOGUE: Final[Mapping[str, Any]] = read_language(FOLDER / f"{ENGLISH}.json")
"""The English file as it is: every other has its form."""

LANGUAGES: Final[dict[str, Language]] = dict(_of_folder(FOLDER))
"""By tag."""


def speak_also(folder: Path) -> None:
    """Add each language that has a file in a folder, or say one of ours in other words.

    Raises:
        ValueError: a file that cannot be read, or one for English: what others lack is said by ours.
    """
    found = dict(_of_folder(folder))
    if ENGLISH in found:
        raise ValueError(f"{folder / ENGLISH}.json: English cannot be replaced")
    LANGUAGES.update(found)


def language_of(tag: str) -> str | None:
    """The language that a tag (RFC 5646: "es-MX") asks for, the nearest there is; None where nothing is said in it."""
    wanted = tag.lower()
    return next((each for each in (wanted, wanted.partition("-")[0]) if each in LANGUAGES), None)


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

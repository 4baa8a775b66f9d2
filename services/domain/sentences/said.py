"""A sentence as data: which templates, filled with what, so that it can be said in any language and any reader's units.

Keys and the names of their values are stored with alerts: what changes its meaning gets another key. It refuses to know
languages; `language.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from services.domain.instant import from_us

Value: TypeAlias = "str | Mapping[str, object] | list[Mapping[str, object]]"
"""A name as it is; an amount, a moment or a phrase; or phrases one behind the other."""
Phrase: TypeAlias = Mapping[str, object]
"""{"key": which template, "values": what fills it}."""


def phrase(key: str, **values: Value) -> Phrase:
    """The template of that key, filled."""
    return {"key": key, "values": values}


def amount(value: float, unit: str, digits: int | None = None) -> Mapping[str, object]:
    """A measured value.

    Args:
        unit: UCUM code of a canonical unit (L, L/h, km/h, km, kPa, %), "s" for a span of time, "1" for a count, or a
            currency.
        digits: decimals; None: as suits the unit and the size.
    """
    measured: dict[str, object] = {"value": float(value), "unit": unit}
    return measured if digits is None else {**measured, "digits": digits}


def count(value: float) -> Mapping[str, object]:
    """So many; whole."""
    return amount(value, "1")


def moment(us: int) -> Mapping[str, object]:
    """A time, told in the zone of the sentence."""
    return {"time": from_us(us).isoformat()}


@dataclass(frozen=True, slots=True)
class Said:
    """Phrases one after the other, and what to do first.

    Attributes:
        what: what, where, since when, why; a sentence or more each.
        first: what to do first; None where nothing is to be done.
        time_zone: IANA zone in which its times are told.
    """

    what: tuple[Phrase, ...]
    first: Phrase | None
    time_zone: str

    def and_also(self, *more: Phrase) -> Said:
        """The same with more behind what it says, before what to do."""
        return replace(self, what=self.what + more)

    def as_dict(self) -> dict[str, object]:
        """Plain data, as stored and served."""
        return {"time_zone": self.time_zone, "what": list(self.what), "first": self.first}

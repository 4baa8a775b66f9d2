"""What lost water costs: a city's price for a cubic metre, put beside the litres of an alert's evidence.

It refuses to guess a price: without one nothing is said of money.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from services.domain.condition import Condition
from services.domain.sentences.said import Phrase, amount, phrase

_COSTED: Final = (("litres_so_far", "cost_so_far"), ("litres_per_day", "cost_per_day"))
"""Litres in the evidence -> the name of their cost, which the currency ends."""


def priced(conditions: Iterable[Condition], per_m3: float, currency: str) -> list[Condition]:
    """The conditions, those that tell of litres with their cost (cost_so_far_eur, cost_per_day_eur).

    Args:
        per_m3: price of 1,000 litres; 0 leaves everything as it is.
        currency: ISO 4217 code.
    """
    if per_m3 <= 0:
        return list(conditions)
    out = []
    for condition in conditions:
        numbers = condition.evidence.numbers
        costs = {
            f"{cost}_{currency.lower()}": round(numbers[litres] / 1000 * per_m3, 2)
            for litres, cost in _COSTED
            if litres in numbers
        }
        evidence = replace(condition.evidence, numbers={**numbers, **costs})
        out.append(replace(condition, evidence=evidence) if costs else condition)
    return out


def price_words(condition: Condition) -> Phrase | None:
    """'That is 64 EUR so far, 12 EUR a day.', or nothing where no cost is known."""
    amounts = {}
    for name, value in condition.evidence.numbers.items():
        for _, cost in _COSTED:
            if name.startswith(f"{cost}_"):
                currency = name.removeprefix(f"{cost}_").upper()
                amounts[cost] = amount(value, currency, 2 if value < 10 else 0)
    match amounts:
        case {"cost_so_far": so_far, "cost_per_day": daily}:
            return phrase("price.both", so_far=so_far, daily=daily)
        case {"cost_so_far": so_far}:
            return phrase("price.so_far", so_far=so_far)
        case {"cost_per_day": daily}:
            return phrase("price.daily", daily=daily)
    return None

"""Which form of a plural a whole number takes, by the rules that a language's file states.

The rules are those of CLDR for whole numbers, in its own words (Unicode TS 35, part 3, "Language Plural Rules"):
`n % 10 = 2..4 and n % 100 != 12..14`. It refuses fractions: nothing that is counted here has any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

OTHER: Final = "other"
FORMS: Final = ("zero", "one", "two", "few", "many", OTHER)
"""CLDR's names, in its order."""
_RELATION: Final = re.compile(r"[ni](?: % (\d+))? (!?=) (\d+(?:\.\.\d+)?(?:,\d+(?:\.\.\d+)?)*)")


def form(rules: Mapping[str, str], n: int) -> str:
    """The form for a count; `other` where no rule takes it.

    Args:
        rules: form -> its condition, as `check` lets it pass.
    """
    return next((name for name, rule in rules.items() if _holds(rule, abs(n))), OTHER)


def check(rules: Mapping[str, str]) -> None:
    """Refuse rules that cannot be followed.

    Raises:
        ValueError: a form that CLDR does not know, or a condition that is none.
    """
    for name, rule in rules.items():
        if name not in FORMS:
            raise ValueError(f"{name} is none of {', '.join(FORMS)}")
        for relation in re.split(" and | or ", rule):
            if _RELATION.fullmatch(relation) is None:
                raise ValueError(f"{relation!r} is no condition such as n % 10 = 2..4")


def _holds(rule: str, n: int) -> bool:
    return any(all(_true(each, n) for each in one.split(" and ")) for one in rule.split(" or "))


def _true(relation: str, n: int) -> bool:
    match = _RELATION.fullmatch(relation)
    assert match is not None
    modulus, sign, ranges = match.groups()
    value = n % int(modulus) if modulus else n
    bounds = [each.partition("..") for each in ranges.split(",")]
    within = any(int(low) <= value <= int(high or low) for low, _, high in bounds)
    return within is (sign == "=")

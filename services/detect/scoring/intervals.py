"""How far counts can be trusted: 95 % intervals of shares and of rare happenings.

Labelled events are few: 14 found of 15 is .93, and says no more than "between .70 and .99". Shares: Wilson 1927.
Counts: Byar's approximation of the Poisson interval (Breslow and Day 1987, 2.10). It refuses to know what was counted.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

_Z: Final = 1.959964


def of_share(found: int, of: int) -> tuple[float, float] | None:
    """The Wilson interval of found / of; None of nothing."""
    if of <= 0:
        return None
    p, n, square = found / of, of, _Z * _Z
    middle = (p + square / (2 * n)) / (1 + square / n)
    half = _Z * sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def of_count(happened: int) -> tuple[float, float]:
    """Between which means a count may come from."""
    k, more = happened, happened + 1
    low = k * (1 - 1 / (9 * k) - _Z / (3 * sqrt(k))) ** 3 if k else 0.0
    return low, more * (1 - 1 / (9 * more) + _Z / (3 * sqrt(more))) ** 3

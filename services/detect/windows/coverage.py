"""How much of each zone was heard: running totals of hours and readings, so that any spell's share is a difference.

A detector remembers the totals at a spell's begin; hours that nobody could judge count as well, because nothing was
added for them. It refuses to know what was said.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.detect.table import Array, Field, Rows, Table


@dataclass(frozen=True, slots=True)
class Seen:
    """Totals of n zones around one hour.

    Attributes:
        before, after: (n, 2) hours heard and readings, before and after the hour.
    """

    before: Array
    after: Array

    def take(self, positions: Array) -> Seen:
        """Those of the chosen positions."""
        return Seen(self.before[positions], self.after[positions])


class Coverage:
    """Hours heard and readings of each zone, ever."""

    def __init__(self) -> None:
        self.table = Table({"totals": Field("f8", 0.0, (2,))})

    def totals(self, rows: Rows) -> Array:
        """(n, 2) hours heard and readings so far."""
        return self.table["totals"][rows]

    def add(self, rows: Rows, heard: Array, readings: Array) -> Seen:
        """One hour of each of `rows` (distinct): (n,) share of it that was heard, (n,) readings."""
        t = self.table["totals"]
        before = t[rows]
        after = before.copy()
        after[:, 0] += heard
        after[:, 1] += readings
        t[rows] = after
        return Seen(before, after)


def held(mark: Array, total: Array, expected_h: float) -> tuple[int, float]:
    """Readings of a spell, and the share of its hours that was not heard.

    Args:
        mark, total: (2,) totals at its begin and at its end.
        expected_h: hours that should have been heard.
    """
    missing = 1.0 - (total[0] - mark[0]) / expected_h if expected_h > 0 else 0.0
    return int(total[1] - mark[1] + 0.5), round(float(min(max(missing, 0.0), 1.0)), 4)

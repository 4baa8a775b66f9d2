"""What is usual at this hour of the week: level and spread of each sensor for 168 local hours.

A value moves its slot by the share of the hour that it stands for, so that 20-second and hourly sensors learn alike;
values far out are winsorised, frozen rows learn nothing. A slot that has seen little borrows from the same hour of
other days. 168 x 3 float32 = 2016 bytes a sensor, 1344 where only the level is asked for. It refuses to decide what is
unusual.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.hour_of_week import SLOTS

_DAYS: Final = np.arange(7) * 24
_MAD_TO_SIGMA: Final = 1.2533
"""Mean absolute deviation times this estimates a normal's sigma."""


def same_hour(rows: Rows, slot: Array) -> Array:
    """(n, 7) places, in tables of one shape, of the hour of (n,) slots on all days of the week."""
    return np.asarray((rows * SLOTS + slot % 24)[:, None] + _DAYS)


class SlotBaseline:
    """Level and spread by hour of the week.

    Args:
        alpha: weight of one visit of the slot (one hour a week) once it is learned.
        winsor: deviations count at most this many spreads; inf switches it off.
        floor: smallest spread, in the unit of the values.
        shrink: how many visits the borrowed level of the hour of the day is worth.
        spread: whether the spread is kept; without it only `level` may be asked, and nothing is winsorised.
    """

    def __init__(
        self,
        alpha: float = 0.15,
        winsor: float = 3.0,
        floor: float = 1e-6,
        shrink: float = 1.0,
        spread: bool = True,
    ) -> None:
        self.alpha, self.floor, self.shrink = alpha, floor, shrink
        self.winsor = winsor if spread else float("inf")
        fields = ("level", "spread", "weight") if spread else ("level", "weight")
        self.table = Table({name: Field("f4", 0.0, (SLOTS,)) for name in fields})

    def learn(self, rows: Rows, slot: Array, values: Array, visit_share: Array) -> None:
        """Move the slots of `rows` (distinct) towards `values`.

        Args:
            slot: (n,) hour of the week.
            values: (n,); NaN teaches nothing.
            visit_share: (n,) 0..1, the share of the hour that the value stands for; 0 freezes a row.
        """
        use = np.isfinite(values) & (visit_share > 0)
        if not use.any():
            return
        if not use.all():
            rows, slot, values, visit_share = rows[use], slot[use], values[use], visit_share[use]
        share = np.minimum(visit_share, 1.0)
        at = rows * SLOTS + slot
        level, weight = self.table["level"].reshape(-1), self.table["weight"].reshape(-1)
        m, w = level.take(at).astype(np.float64), weight.take(at).astype(np.float64)
        total = w + share
        a = np.maximum(self.alpha * share, share / total)
        d = values - m
        fresh = w <= 0
        if "spread" in self.table.fields:
            spread = self.table["spread"].reshape(-1)
            s = spread.take(at).astype(np.float64)
            if np.isfinite(self.winsor):
                limit = self.winsor * np.maximum(s, self.floor)
                d = np.where(w >= 1.0, clip(d, -limit, limit), d)
            deviation = np.where(fresh, 0.0, np.abs(d)) * _MAD_TO_SIGMA
            spread[at] = s + a * (deviation - s)
        level[at] = np.where(fresh, values, m + a * d)
        weight[at] = np.minimum(total, 1e6)

    def expected(
        self, rows: Rows, slot: Array, places: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """(n,) level, (n,) spread (at least the floor) and (n,) visits known for the rows at the hour.

        Level and spread are NaN where neither the slot nor the same hour of another day has been seen.

        Args:
            places: what `same_hour(rows, slot)` gives, where the caller has it already.
        """
        pool = self.pool(rows, slot, places)
        empty = pool.total <= 0
        s = self._blend("spread", pool)
        return (
            np.where(empty, np.nan, self._blend("level", pool)),
            np.where(empty, np.nan, np.maximum(s, self.floor)),
            np.minimum(pool.total, 1e6),
        )

    def level(self, rows: Rows, slot: Array, places: Array | None = None) -> tuple[Array, Array]:
        """(n,) level and (n,) visits, as `expected` gives them, where nobody asks for the spread."""
        return self.level_of(self.pool(rows, slot, places))

    def level_of(self, pool: Pool) -> tuple[Array, Array]:
        """The same of what is gathered already.

        Args:
            pool: of this baseline, or of another one with the same `shrink` that has always learned together with it.
        """
        m = self._blend("level", pool)
        return np.where(pool.total <= 0, np.nan, m), np.minimum(pool.total, 1e6)

    def second_lowest(self, pool: Pool) -> Array:
        """(n,) second lowest level that the hour has on the days of the week; NaN where neither day has been seen.

        The lowest of seven is low by chance; two days that agree are a habit. Days borrow from each other as elsewhere.
        """
        total = pool.weights.sum(axis=1)
        levels = self.table["level"].reshape(-1).take(pool.at).astype(np.float64)
        usual = np.einsum("ij,ij->i", pool.weights, levels) / np.where(total > 0, total, 1.0)
        share = pool.weights / (pool.weights + self.shrink)
        blended = np.partition(share * levels + (1 - share) * usual[:, None], 1, axis=1)[:, 1]
        return np.where(total > 0, blended, np.nan)

    def highest(self, rows: Rows) -> Array:
        """(n,) level of the hour that is highest, among those seen for a quarter of a visit; NaN where none was."""
        seen = self.table["weight"][rows] >= 0.25
        top = np.where(seen, self.table["level"][rows], -np.inf).max(axis=1, initial=-np.inf)
        return np.where(np.isfinite(top), top, np.nan).astype(np.float64)

    def pool(self, rows: Rows, slot: Array, places: Array | None = None) -> Pool:
        """What the rows have seen at (n,) hours of the week, of all days; `places` as `same_hour(rows, slot)`."""
        at = same_hour(rows, slot) if places is None else places
        own = rows * SLOTS + slot
        weight = self.table["weight"].reshape(-1)
        w, w0 = weight.take(at).astype(np.float64), weight.take(own).astype(np.float64)
        extra = self.shrink * w0  # its own day speaks louder
        return Pool(at, w, own, extra, w.sum(axis=1) + extra, w0 / (w0 + self.shrink))

    def _blend(self, name: str, pool: Pool) -> Array:
        values = self.table[name].reshape(-1)
        mine = values.take(pool.own)
        summed = np.einsum("ij,ij->i", pool.weights, values.take(pool.at)) + pool.extra * mine
        pooled = summed / np.where(pool.total > 0, pool.total, 1.0)
        blended: Array = pool.share * mine + (1 - pool.share) * pooled
        return blended


class Pool(NamedTuple):
    """(n, 7) places of the hour on all days and their weights; (n,) the own place, its extra weight, the sum of all
    weights, and the share of the own day."""

    at: Array
    weights: Array
    own: Array
    extra: Array
    total: Array
    share: Array

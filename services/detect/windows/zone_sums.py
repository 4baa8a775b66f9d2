"""Page's sums over the days of a zone: two witnesses of a leak, upwards and downwards, each against its own last weeks.

z = (witness - centre) / sigma; S = max(0, S + min(z, 4) - k) (Page 1954). Centre is zero for the offset and the median
of 28 nights for the night; sigma is 1.4826 MAD, so that a growing leak does not widen it, and for the offset the root
of its square and that of the lasting offset, up to 1 % of the level: an error of the shape is doubt. With each sum go
the litres and days since it left zero, and what the other witness said in that time. A sum that has not reached its
limit within 14 days begins anew. It refuses to decide what a sum means.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.rolling import Rolling
from services.detect.windows.zone_habit import ring_spread

WITNESSES: Final = 2
SLACK: Final = (0.75, 1.0)
"""k of the offset and of the night, in sigmas."""
_DAYS: Final = 28
_CLIP: Final = 4.0
_FLOORS: Final = (0.004, 0.02)
"""Smallest sigma as a share of the level."""
_KNOWN: Final = (14, 7)
"""Values that are needed before a witness is heard."""
_ODD: Final = 3.0
_OLDEST: Final = 14
"""A sum that has not reached its limit after so many days begins anew: a habit drifts that slowly."""
_BIAS: Final = 0.01
"""A lasting offset of the shape up to this share of the level is taken for doubt, not for a leak."""


class ZoneSums:
    """Sums by witness (offset, night) and direction (up, down).

    Args:
        limits: (2,) what raises each; a day is calm while no sum is beyond half of it.
    """

    def __init__(self, limits: Array) -> None:
        self.limits = limits
        self.rings = (Rolling(_DAYS, "f4"), Rolling(_DAYS, "f4"))
        self.table = Table(
            {
                "sums": Field("f8", 0.0, (WITNESSES, 2)),
                "totals": Field("f8", 0.0, (WITNESSES, 2)),
                "days": Field("i4", 0, (WITNESSES, 2)),
                "beside": Field("f8", 0.0, (WITNESSES, 2)),
                "beside_days": Field("i4", 0, (WITNESSES, 2)),
                "since_us": Field("i8", NEVER, (WITNESSES, 2)),
                "mark": Field("f8", 0.0, (WITNESSES, 2, 2)),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "sums": self.table, "offsets": self.rings[0].table, "nights": self.rings[1].table,
        }  # fmt: skip

    def begin_anew(self, rows: Rows) -> None:
        """What the sums of `rows` said has been taken into account."""
        for name in ("sums", "totals", "days", "beside", "beside_days"):
            self.table[name][rows] = 0
        self.table["since_us"][rows] = NEVER

    def add(
        self,
        rows: Rows,
        witnesses: tuple[Array, Array],
        level: Array,
        start_us: Array,
        day_mark: Array,
    ) -> tuple[Array, Array, Array]:
        """Take one day of each of `rows` (distinct).

        Args:
            witnesses: (n,) offset and (n,) night, L/h; NaN where nothing is known.
            level: (n,) L/h; start_us: (n,) begin of the day; day_mark: (n, 2, 2) what was heard until then.

        Returns:
            (n, 2, 2) sums by witness and direction (up, down), (n, 2) sigma in L/h, (n,) whether the day is calm.
        """
        quiet = np.ones(len(rows), np.bool_)
        t = self.table
        sums, totals, days = t["sums"][rows], t["totals"][rows], t["days"][rows]
        beside, beside_days = t["beside"][rows], t["beside_days"][rows]
        since, mark = t["since_us"][rows], t["mark"][rows]
        sigma = np.full((len(rows), WITNESSES), np.nan)
        centres = (np.zeros(len(rows)), np.nan_to_num(self.rings[1].median_mad(rows)[0]))
        others = [value - centre for value, centre in zip(witnesses, centres, strict=True)]
        other_known = [
            np.isfinite(value) & (ring.count(rows) >= known)
            for value, ring, known in zip(witnesses, self.rings, _KNOWN, strict=True)
        ]
        for w, value in enumerate(witnesses):
            ring, centre = self.rings[w], centres[w]
            middle = ring.median_mad(rows)[0]
            spread = ring_spread(ring, rows, middle)
            if w == 0:
                spread = np.hypot(spread, np.minimum(np.abs(middle), _BIAS * np.abs(level)))
            sigma[:, w] = np.maximum(spread, _FLOORS[w] * np.abs(level))
            ready = np.isfinite(value) & (ring.count(rows) >= _KNOWN[w])
            excess = value - centre
            z = np.where(ready, excess / np.where(ready, sigma[:, w], 1.0), 0.0)
            for d, sign in enumerate((1.0, -1.0)):
                before = sums[:, w, d]
                step = np.minimum(sign * z, _CLIP) - SLACK[w]
                after = np.where(ready, np.maximum(0.0, before + step), before)
                old = days[:, w, d] >= _OLDEST
                after = np.where(old & ready, np.maximum(0.0, step), after)
                begins = ((before <= 0) | old) & (after > 0)
                since[:, w, d] = np.where(begins, start_us, since[:, w, d])
                mark[:, w, d] = np.where(begins[:, None], day_mark[:, w], mark[:, w, d])
                held = np.where(begins | (after <= 0), 0.0, totals[:, w, d])
                count = np.where(begins | (after <= 0), 0, days[:, w, d])
                grown = ready & (after > 0)
                totals[:, w, d] = held + np.where(grown, excess, 0.0)
                days[:, w, d] = count + grown
                kept = ~(begins | (after <= 0))
                heard = grown & other_known[1 - w]
                beside[:, w, d] = np.where(kept, beside[:, w, d], 0.0)
                beside[:, w, d] += np.where(heard, others[1 - w], 0.0)
                beside_days[:, w, d] = np.where(kept, beside_days[:, w, d], 0) + heard
                sums[:, w, d] = after
            quiet &= (np.abs(z) <= _ODD) & (sums[:, w].max(axis=1) < 0.5 * self.limits[w])
            calm = np.isfinite(value) & ~(ready & ((z > 2.5) | (z < -_CLIP)))
            ring.push(rows[calm], value[calm])
        t["sums"][rows], t["totals"][rows], t["days"][rows] = sums, totals, days
        t["since_us"][rows], t["mark"][rows] = since, mark
        t["beside"][rows], t["beside_days"][rows] = beside, beside_days
        return sums, sigma, quiet

    def borne_out(self, rows: Rows, sigma: Array) -> Array:
        """(n, 2) by direction: whether the offset does not contradict what the nights' sum says, where it can tell.

        A constant leak shows in both alike: the mean offset of the spell, with two of its own standard errors in its
        favour, must reach half of the nights' mean.
        """
        t = self.table
        count, heard = t["days"][rows][:, 1], t["beside_days"][rows][:, 1]
        sign = np.array((1.0, -1.0))
        night = sign * t["totals"][rows][:, 1] / np.maximum(count, 1)
        offset = sign * t["beside"][rows][:, 1] / np.maximum(heard, 1)
        doubt = 2.0 * sigma[:, 0, None] / np.sqrt(np.maximum(heard, 1))
        borne: Array = (heard == 0) | (offset + doubt >= 0.5 * night)
        return borne

    def forget_nights(self, rows: Rows) -> None:
        """What is usual at night has changed: learn it anew."""
        self.rings[1].forget(rows)

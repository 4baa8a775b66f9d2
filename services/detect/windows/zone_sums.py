"""Page's sums over the days of a zone: two witnesses of a leak, upwards and downwards, each against its own last weeks.

z = (witness - centre) / sigma; S = max(0, S + min(z, 4) - k) (Page 1954). Centre is zero for the offset and the median
of 28 nights for the night, sigma 1.4826 times the median distance from it. With each sum go the litres and days since
it left zero. It refuses to decide what a sum means.
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
        for name in ("sums", "totals", "days"):
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
        since, mark = t["since_us"][rows], t["mark"][rows]
        sigma = np.full((len(rows), WITNESSES), np.nan)
        for w, value in enumerate(witnesses):
            ring = self.rings[w]
            centre = np.nan_to_num(ring.median_mad(rows)[0]) if w == 1 else np.zeros(len(rows))
            spread = ring_spread(ring, rows, centre)
            sigma[:, w] = np.maximum(spread, _FLOORS[w] * np.abs(level))
            ready = np.isfinite(value) & (ring.count(rows) >= _KNOWN[w])
            excess = value - centre
            z = np.where(ready, excess / np.where(ready, sigma[:, w], 1.0), 0.0)
            for d, sign in enumerate((1.0, -1.0)):
                before = sums[:, w, d]
                step = np.minimum(sign * z, _CLIP) - SLACK[w]
                after = np.where(ready, np.maximum(0.0, before + step), before)
                begins = (before <= 0) & (after > 0)
                since[:, w, d] = np.where(begins, start_us, since[:, w, d])
                mark[:, w, d] = np.where(begins[:, None], day_mark[:, w], mark[:, w, d])
                held = np.where(begins | (after <= 0), 0.0, totals[:, w, d])
                count = np.where(begins | (after <= 0), 0, days[:, w, d])
                grown = ready & (after > 0)
                totals[:, w, d] = held + np.where(grown, excess, 0.0)
                days[:, w, d] = count + grown
                sums[:, w, d] = after
            quiet &= (np.abs(z) <= _ODD) & (sums[:, w].max(axis=1) < 0.5 * self.limits[w])
            calm = np.isfinite(value) & ~(ready & ((z > 2.5) | (z < -_CLIP)))
            ring.push(rows[calm], value[calm])
        t["sums"][rows], t["totals"][rows], t["days"][rows] = sums, totals, days
        t["since_us"][rows], t["mark"][rows] = since, mark
        return sums, sigma, quiet

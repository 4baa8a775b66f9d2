"""Page's cumulative sum of standardised deviations: S = max(0, S + min(z, clip) - k), alarm at S > h.

Small lasting shifts add up, single outliers do not (z is clipped). Source: Page 1954. It refuses to standardise.
"""

from __future__ import annotations

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import NEVER, Array, Field, Rows, Table


class Cusum:
    """Upper sum of each sensor; feed -z for the lower one.

    Args:
        k: allowance in sigmas, half the shift that is worth finding.
        h: decision limit in sigmas.
        clip: z counts at most this much a value, and at least minus this much.
    """

    def __init__(self, k: float = 0.5, h: float = 5.0, clip: float = 5.0) -> None:
        self.k, self.h, self.clip = k, h, clip
        self.table = Table({"sum": Field("f8"), "since_us": Field("i8", NEVER)})

    def push(self, rows: Rows, z: Array, at_us: Array) -> Array:
        """Add one z to each of `rows` (distinct) and return the sums (n,); NaN changes nothing.

        `since_us` of a row is the time of the value with which its sum last left zero.
        """
        t = self.table
        before = t["sum"][rows]
        step = clip(z, -self.clip, self.clip) - self.k
        after = np.where(np.isnan(z), before, np.maximum(0.0, before + np.nan_to_num(step)))
        since = t["since_us"][rows]
        since = np.where((before <= 0) & (after > 0), at_us, since)
        t["since_us"][rows] = np.where(after > 0, since, NEVER)
        t["sum"][rows] = after
        return after

    def reset(self, rows: Rows) -> None:
        """Begin again at zero."""
        self.table["sum"][rows] = 0.0
        self.table["since_us"][rows] = NEVER

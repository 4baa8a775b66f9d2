"""Flows of stations over minutes, and the vehicles that one neighbour has seen and the other has not.

Vehicles are conserved: what passes the upper station arrives at the lower one, times a ratio of the pair
(ramps between them), unless it is held up. It refuses to know speeds and to decide what is an incident.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table

ALLOWED: Final = 0.12
"""Share of the expected arrivals that may be missing without being added up."""
_FLOWS: Final = (("flow", 120.0), ("mid_flow", 420.0), ("long_flow", 1200.0))
_PAUSE_S: Final = 900.0
_LAGS: Final = 4
_MOST_VEH: Final = 150.0
_RATIO_S, _RATIO_KNOWN_S, _RATIO_STEP = 5400.0, 1200.0, 0.25
_LEAST_VEH_PER_H: Final = 300.0


class Arrivals:
    """Fading means of flow (2, 7 and 20 minutes), the ratio of each pair, and what is stored between both."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "last": Field("f8", np.nan),
                "flow": Field("f8", np.nan),
                "mid_flow": Field("f8", np.nan),
                "long_flow": Field("f8", np.nan),
                "lagged": Field("f4", np.nan, (_LAGS,)),
                "ratio": Field("f8"),
                "ratio_s": Field("f8"),
                "stored": Field("f8"),
            }
        )

    def take(self, rows: Rows, dt_s: Array, flow: Array) -> None:
        """Remember one reading of each of `rows` (distinct): (n,) veh/h, NaN missing; (n,) seconds since the last."""
        t = self.table
        t["last"][rows] = flow
        pause = dt_s > _PAUSE_S
        for name, tau in _FLOWS:
            old = np.where(pause, np.nan, t[name][rows])
            a = 1.0 - np.exp(-np.where(pause, 0.0, dt_s) / tau)
            new = np.where(np.isnan(old), flow, old + a * (flow - old))
            t[name][rows] = np.where(np.isfinite(flow), new, old)

    def forget(self, rows: Rows) -> None:
        """These sensors are not to be believed: start anew."""
        for name, _ in _FLOWS:
            self.table[name][rows] = np.nan

    def left(self, rows: Rows) -> Array:
        """(n,) flow now over the mean of the last 7 or 20 minutes, whichever share is less; NaN not known."""
        t = self.table
        flow, mid, long = (t[name][rows] for name, _ in _FLOWS)
        return np.asarray(flow / np.maximum(np.fmax(mid, long), 1.0))

    def lately(self, rows: Rows) -> Array:
        """(n,) mean flow of the last 7 minutes over that of 20; NaN not known."""
        t = self.table
        return np.asarray(t["mid_flow"][rows] / np.maximum(t["long_flow"][rows], 1.0))

    def usual(self, rows: Rows) -> Array:
        """(n,) veh/h of the last 7 or 20 minutes, whichever is more; NaN not known."""
        return np.asarray(np.fmax(self.table["mid_flow"][rows], self.table["long_flow"][rows]))

    def ratio(self, rows: Rows) -> Array:
        """(n,) logarithm of the neighbour's flow over that of `rows` in free traffic; 0 where it is not known."""
        known = self.table["ratio_s"][rows] >= _RATIO_KNOWN_S
        return np.where(known, self.table["ratio"][rows], 0.0)

    def expected(self, rows: Rows, gap: Array) -> Array:
        """(n,) veh/h that should arrive at the neighbours of `rows`, the pair's ratio times the least of 4 looks.

        Args:
            gap: (n,) bool, the look before was too long ago.
        """
        t = self.table
        lagged = np.where(gap[:, None], np.nan, np.roll(t["lagged"][rows], 1, axis=1))
        lagged[:, 0] = t["flow"][rows]
        t["lagged"][rows] = lagged
        low = np.where(np.isnan(lagged), np.inf, lagged).min(axis=1)
        known = (t["ratio_s"][rows] >= _RATIO_KNOWN_S) & np.isfinite(low)
        return np.where(known, np.exp(t["ratio"][rows]) * low, np.nan)

    def store(self, rows: Rows, beyond: Rows, expected: Array, dt_s: Array, counts: Array) -> Array:
        """(n,) vehicles stored between `rows` and their neighbours; 0 where not `counts` (n,) bool."""
        t = self.table
        gain = ((1.0 - ALLOWED) * expected - t["last"][beyond]) * dt_s / 3600.0
        add = np.isfinite(gain) & counts
        stored = np.where(add, clip(t["stored"][rows] + gain, 0.0, _MOST_VEH), 0.0)
        t["stored"][rows] = stored
        return stored

    def learn(self, rows: Rows, beyond: Rows, dt_s: Array, calm: Array) -> None:
        """Move the ratio of pairs in free traffic, `calm` (n,) bool; a far-off value moves it by a quarter at most."""
        t = self.table
        flow, arrived, ratio = t["flow"][rows], t["flow"][beyond], t["ratio"][rows]
        calm = calm & (flow > _LEAST_VEH_PER_H) & (arrived > _LEAST_VEH_PER_H / 3)
        seen = t["ratio_s"][rows]
        off = np.log(np.where(calm, arrived / np.where(calm, flow, 1.0), 1.0)) - ratio
        off = np.where(seen >= _RATIO_KNOWN_S, clip(off, -_RATIO_STEP, _RATIO_STEP), off)
        a = np.maximum(1.0 - np.exp(-dt_s / _RATIO_S), dt_s / np.maximum(seen + dt_s, 1.0))
        t["ratio"][rows] = ratio + np.where(calm, a * off, 0.0)
        t["ratio_s"][rows] = np.minimum(seen + np.where(calm, dt_s, 0.0), 1e6)

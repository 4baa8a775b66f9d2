"""How unusual are flow and occupancy together? One score in 0..1 for the pair, where each alone may look normal.

Question: does this pair lie where this station's pairs lie at this hour (few vehicles that cover the sensor for long
    are a jam; many that hardly cover it, a fault)?
Formula: x = sqrt(flow), y = sqrt(occupancy or density) (roots, since the variance of counts grows with them); D is the
    Mahalanobis distance of (x, y) from the mean and covariance of the hour of the day (`windows/plane`), and D5 its
    mean over 5 values. Peaks over a threshold turn both into chances: e = -log10 p, r = sqrt(e(D)^2 + e(D5)^2), and the
    score is 1 - 2^(-r / 4).
Units: none. Source: per-slot Mahalanobis scores (ANCHORS section 4), SPOT for the tail (Siffer et al. 2017).
Missing: a pair with a value missing, negative or beyond 1e13 scores 0 and changes nothing. Late pairs count as they
    come, duplicates are pairs, irregular stamps do not matter. Nothing is held back as old news: a jam is strange as
    long as it lasts. The first 96 pairs score 0. 3 KB a station. It raises no alert.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.rounds import Rounds
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.means import Means
from services.detect.windows.peaks import Peaks
from services.detect.windows.plane import Plane
from services.domain.instant import DAY_US

_LARGEST: Final = 1e13
_SPAN: Final = 5.0
_HALF: Final = 4.0


class JointScore:
    """Scores of pairs, one row a station."""

    def __init__(self) -> None:
        self._rounds = Rounds()
        self.plane, self.means, self.peaks = Plane(), Means((_SPAN,)), Peaks(2)
        self.table = Table({"seen": Field("i8")})

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "joint": self.table,
            "plane": self.plane.table,
            "means": self.means.table,
            "peaks": self.peaks.table,
        }

    def add(self, count: int) -> None:
        """Make room for `count` more stations."""
        for table in self.tables.values():
            table.add(count)
        self._rounds.reserve(self.table.n)

    def step(self, rows: Rows, at_us: Array, flow: Array, occupancy: Array) -> Array:
        """(n,) scores 0..1 of n pairs in the order of the stream; a row may occur several times."""
        out = np.zeros(len(rows))
        known = np.flatnonzero(
            (flow >= 0) & (flow <= _LARGEST) & (occupancy >= 0) & (occupancy <= _LARGEST)
        )
        if not known.size:
            return out
        for part in self._rounds.split(rows[known]):
            at = known[part]
            out[at] = self._round(rows[at], at_us[at], np.sqrt(flow[at]), np.sqrt(occupancy[at]))
        return out

    def _round(self, rows: Rows, at_us: Array, x: Array, y: Array) -> Array:
        hour = at_us % DAY_US * 24 // DAY_US
        distance = self.plane.distance_and_learn(rows, hour, x, y)
        known = np.isfinite(distance)
        out = np.zeros(len(rows))
        rows, distance = rows[known], distance[known]
        if not rows.size:
            return out
        seen = self.table["seen"].take(rows) + 1
        self.table["seen"][rows] = seen
        strange = np.stack([distance, self.means.push(rows, distance[:, None], seen)[:, 0]], axis=1)
        surprise = self.peaks.surprise(rows, strange)
        self.peaks.learn(rows, strange)
        whole = np.sqrt(np.einsum("ij,ij->i", surprise, surprise))
        out[known] = 1.0 - 2.0 ** (-whole / _HALF)
        return out

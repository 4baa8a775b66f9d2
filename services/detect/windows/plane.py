"""Where a pair of values lies in its plane at this hour: Mahalanobis distances from learned means and covariances.

Each hour of the day and the day as a whole have a mean and a covariance; the hour's count as far as it has been seen
(n / (n + 20)), the day's for the rest. A value far out moves them only as far as one at 3 sigmas would, so that they
do not learn what they call strange. 25 x 6 x 4 = 600 bytes a series. It refuses to know what the axes mean.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Field, Rows, Table

_HOURS: Final = 24
_FAR: Final = 3.0
_LEAST: Final = 1e-4
"""Smallest variance, as a share of the square of the mean, on either axis."""


class Plane:
    """Means and covariances by hour.

    Args:
        span: values of a slot that are remembered.
        shrink: values of the hour that the whole day is worth.
    """

    def __init__(self, span: float = 400.0, shrink: float = 20.0) -> None:
        self.alpha, self.shrink = 1.0 / span, shrink
        self.table = Table({"moments": Field("f4", 0.0, (_HOURS + 1, 6))})

    def distance_and_learn(self, rows: Rows, hour: Array, x: Array, y: Array) -> Array:
        """(n,) distances in sigmas of n pairs, which are learned afterwards; NaN while little is known.

        Args:
            rows: distinct; hour: (n,) 0..23; x, y: (n,) finite.
        """
        flat = self.table["moments"].reshape(-1, 6)
        at = np.stack([rows * (_HOURS + 1) + hour, rows * (_HOURS + 1) + _HOURS], axis=1)
        moments = flat[at].astype(np.float64)
        seen = moments[:, :, 5]
        own = (seen[:, 0] / (seen[:, 0] + self.shrink))[:, None]
        blend = own * moments[:, 0, :5] + (1.0 - own) * moments[:, 1, :5]
        distance = _distance(blend, x, y)
        known = seen[:, 1] >= self.shrink
        pull = np.where(known, np.minimum(1.0, _FAR / np.maximum(distance, _FAR)), 1.0)[:, None]
        a = np.maximum(self.alpha, 1.0 / (seen + 1.0))
        dx = (x[:, None] - moments[:, :, 0]) * np.where(seen > 0, pull, 1.0)
        dy = (y[:, None] - moments[:, :, 1]) * np.where(seen > 0, pull, 1.0)
        new = np.empty_like(moments)
        new[:, :, 0] = moments[:, :, 0] + a * dx
        new[:, :, 1] = moments[:, :, 1] + a * dy
        for place, product in ((2, dx * dx), (3, dx * dy), (4, dy * dy)):
            new[:, :, place] = (1.0 - a) * (moments[:, :, place] + a * product)
        new[:, :, 5] = np.minimum(seen + 1.0, 1e6)
        flat[at] = new
        return np.where(known, distance, np.nan)


def _distance(moments: Array, x: Array, y: Array) -> Array:
    mx, my, xx, xy, yy = moments.T
    xx = xx + _LEAST * (mx * mx + 1e-6)
    yy = yy + _LEAST * (my * my + 1e-6)
    determinant = np.maximum(xx * yy - xy * xy, 1e-6 * xx * yy)
    dx, dy = x - mx, y - my
    square = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / determinant
    distance: Array = np.sqrt(np.maximum(square, 0.0))
    return distance

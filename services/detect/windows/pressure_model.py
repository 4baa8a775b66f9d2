"""What a pressure should be, given the flow into its zone and the other pressures there: a line learned on calm days.

p = b0 + b1 u + b2 u^2 + b3 o, with u the zone's net inflow over what was usual at first, and o the mean of the other
loggers of the zone, each less its own first value (0 where there is none). Least squares over days that the caller
calls calm, older days weighing less (half after 5 weeks). About 1 KB a logger. It refuses to judge.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table
from services.detect.windows.rolling import Rolling

_TERMS: Final = 4
_FORGET: Final = 0.98
_RIDGE: Final = 1e-6
_NEEDED: Final = 7
"""Calm days before a model speaks."""
_LEAST_H: Final = 12
_DAYS: Final = 28
_FLOOR_KPA: Final = 0.03
"""Smallest spread of a day's mean residual: loggers resolve a centimetre or so."""
_HOUR_FLOOR_KPA: Final = 0.1
_PACE: Final = 0.02
_CLIP: Final = 4.0
_HIGHEST_KPA: Final = 1e4
_WIDEST: Final = 20.0


class PressureModel:
    """One line of each logger, and its residuals by hour and by day."""

    def __init__(self) -> None:
        square = (_TERMS, _TERMS)
        self.table = Table(
            {
                "origin_kpa": Field("f8", np.nan),
                "unit_flow": Field("f8", np.nan),
                "xx": Field("f8", 0.0, square),
                "xy": Field("f8", 0.0, (_TERMS,)),
                "today_xx": Field("f8", 0.0, square),
                "today_xy": Field("f8", 0.0, (_TERMS,)),
                "line": Field("f8", 0.0, (_TERMS,)),
                "days": Field("i4"),
                "variance": Field("f8", np.nan),
            }
        )
        self.residuals = Rolling(_DAYS, "f4")

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"model": self.table, "residuals": self.residuals.table}

    def hour(self, rows: Rows, zone: Array, kpa: Array, flow: Array, usual: Array) -> Array:
        """(n,) residuals of one hour in sigmas; NaN where the model does not speak yet.

        Args:
            zone: (n,) which of `rows` stand together; any numbers from 0.
            kpa: (n,) mean pressures; flow, usual: (n,) net inflow of their zones and what is usual, L/h.
        """
        t = self.table
        t["origin_kpa"][rows] = np.where(
            np.isnan(t["origin_kpa"][rows]), kpa, t["origin_kpa"][rows]
        )
        unit = np.where(np.isnan(t["unit_flow"][rows]), usual, t["unit_flow"][rows])
        t["unit_flow"][rows] = unit
        here = (unit > 0) & (np.abs(kpa) < _HIGHEST_KPA)
        y = np.where(here, kpa - t["origin_kpa"][rows], 0.0)
        size = int(zone.max()) + 1 if len(zone) else 0
        total, count = np.zeros(size), np.zeros(size)
        np.add.at(total, zone, y)
        np.add.at(count, zone, here)
        others = (total[zone] - y) / np.maximum(count[zone] - 1, 1) * (count[zone] > 1)
        u = clip(flow / np.where(here, unit, 1.0), -_WIDEST, _WIDEST)
        x = np.stack([np.ones(len(rows)), u, u * u, others], axis=1)
        add = here[:, None]
        t["today_xx"][rows] += np.where(add[:, :, None], x[:, :, None] * x[:, None, :], 0.0)
        t["today_xy"][rows] += np.where(add, x * y[:, None], 0.0)
        speaks = here & (t["days"][rows] >= _NEEDED)
        left = np.where(speaks, y - (x * t["line"][rows]).sum(axis=1), np.nan)
        variance = t["variance"][rows]
        sigma = np.maximum(np.sqrt(np.where(np.isnan(variance), 0.0, variance)), _HOUR_FLOOR_KPA)
        z = np.where(speaks & ~np.isnan(variance), clip(left / sigma, -99, 99), np.nan)
        square = np.minimum(left * left, np.where(np.isnan(variance), np.inf, 9 * sigma**2))
        old = np.where(np.isnan(variance), square, variance)
        t["variance"][rows] = np.where(speaks, old + _PACE * (square - old), variance)
        return z

    def day(self, rows: Rows) -> tuple[Array, Array]:
        """(n,) mean residual of the day so far in kPa, and in sigmas; NaN where less than half a day is known."""
        t = self.table
        sums = t["today_xx"][rows, 0]
        hours = sums[:, 0]
        speaks = (hours >= _LEAST_H) & (t["days"][rows] >= _NEEDED)
        left = t["today_xy"][rows, 0] - (sums * t["line"][rows]).sum(axis=1)
        mean = np.where(speaks, left / np.maximum(hours, 1.0), np.nan)
        middle, mad = self.residuals.median_mad(rows)
        known = speaks & (self.residuals.count(rows) >= _NEEDED)
        count = np.maximum(self.residuals.count(rows), 1)
        few = 1.0 + 4.0 / count  # a spread of few days is taken for too small
        sigma = np.maximum(1.4826 * np.nan_to_num(mad) * few, _FLOOR_KPA)
        return mean, np.where(known, (mean - np.nan_to_num(middle)) / sigma, np.nan)

    def close(self, rows: Rows, calm: Array) -> None:
        """End the day of each of `rows`: it teaches where (n,) calm says so, and is forgotten."""
        t = self.table
        mean, _ = self.day(rows)
        teach = calm & (t["today_xx"][rows, 0, 0] >= _LEAST_H)
        taught = rows[teach]
        self.residuals.push(taught, mean[teach])
        t["xx"][taught] = _FORGET * t["xx"][taught] + t["today_xx"][taught]
        t["xy"][taught] = _FORGET * t["xy"][taught] + t["today_xy"][taught]
        t["days"][taught] += 1
        t["today_xx"][rows], t["today_xy"][rows] = 0.0, 0.0
        if taught.size:
            square = t["xx"][taught]
            ridge = _RIDGE * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(_TERMS)
            line = np.linalg.solve(square + ridge, t["xy"][taught][:, :, None])[:, :, 0]
            t["line"][taught] = np.where(np.isfinite(line), line, 0.0)

"""Do the pressures of a zone say that water leaves it at one spot? Pressure confirmation of a suspected leak.

Question: given the inflow, do the pressures of a zone stand to each other as they did on calm days?
Formula: each logger's pressure is predicted from the zone's net inflow and the mean of the other loggers
    (`windows/pressure_model.py`); z is its mean residual in sigmas of calm days. T = mean over the loggers of
    min(z^2, 16); S = max(0, S + min(T, 4) - 2) (Page 1954), by the day (06 to 06 h local) and by the hour. More demand
    everywhere follows the line; a leak draws the pressures near it lower than the inflow explains, the others higher.
    Accord, 0 to 1, is S / 4 by the day; by the hour S / 8.
Use: accord lowers the limit of the *flow's* sum (`zone_leak` down to 45 %, `zone_burst` to 50 %) and raises the
    confidence. A pressure alone raises nothing: pump schedules, a valve or a broken logger change pressures too.
    The place to look first is the logger with the lowest mean residual since S left zero.
Units: kPa and sigmas. Needs 14 calm days with 12 hours each, and the inflow.
Source: pairwise pressure models and CUSUM of their residuals (LILA, Daniel et al. 2022, winner-class method of
    BattLeDIM), here one line for each logger on flow and the mean of the others, so that the work grows with loggers,
    not pairs; the pooled statistic is our own.
Missing: an hour without a pressure or without the net inflow teaches nothing and is not judged; loggers that are silent
    or repeat one mean for three hours drop out of the mean. Readings later than two days are dropped. The same instant
    again is skipped. Irregular stamps: means by full hour.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.elementwise import clip
from services.detect.table import Array, Field, Rows, Table
from services.detect.watches.zone_pressures import ZonePressures
from services.detect.words.zone_words import PRESSURE_SUFFIX

_ALLOWANCE: Final = 2.0
_MOST: Final = 4.0
_SQUARE: Final = 16.0
_FULL_DAYS: Final = 4.0
_FULL_HOURS: Final = 8.0
_NAMED: Final = 8
"""So many loggers are named in evidence at most."""


class ZonePressure:
    """The pressures' word on each zone: rows are the inlets that speak for zones."""

    def __init__(self) -> None:
        self.loggers: ZonePressures | None = None
        self.table = Table({"days": Field("f8"), "hours": Field("f8"), "today": Field("f8")})

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"accord": self.table}

    def _of(self, due: Rows, size: int) -> tuple[Rows, Rows]:
        """Loggers (rows) that stand in the zones of the inlets `due`, and those inlets."""
        assert self.loggers is not None
        leads = self.loggers.zones.leads(self.loggers.members.zones)
        wanted = np.zeros(size + 1, np.bool_)
        wanted[due] = True
        rows = np.flatnonzero(wanted[leads])  # -1 is the last, which is nobody
        return rows, leads[rows]

    def hour(self, due: Rows, hour: int, net: Array, usual: Array) -> None:
        """One full hour: (inlets,) net inflow and usual inflow in L/h of the zones that the inlets `due` speak for."""
        if self.loggers is None or not self.loggers.ids or not due.size:
            return
        rows, leads = self._of(due, len(net))
        kpa = self.loggers.read(rows, hour)
        use = np.isfinite(kpa) & np.isfinite(net[leads]) & (usual[leads] > 0)
        if not use.any():
            return
        rows, leads, kpa = rows[use], leads[use], kpa[use]
        z = self.loggers.model.hour(rows, leads, kpa, net[leads], usual[leads])
        mean, known = _pooled(leads, z, len(net))
        t = self.table
        inlets = np.flatnonzero(known)
        step = np.minimum(mean[inlets], _MOST) - _ALLOWANCE
        t["hours"][inlets] = np.maximum(0.0, t["hours"][inlets] + step)

    def day(self, due: Rows, size: int) -> None:
        """The day of the zones that the inlets `due` speak for is over; `size` inlets in all."""
        if self.loggers is None or not self.loggers.ids:
            return
        rows, leads = self._of(due, size)
        residual, z = self.loggers.model.day(rows)
        mean, known = _pooled(leads, z, size)
        t = self.table
        inlets = np.flatnonzero(known)
        step = np.minimum(mean[inlets], _MOST) - _ALLOWANCE
        t["days"][inlets] = clip(t["days"][inlets] + step, 0.0, 2 * _FULL_DAYS)
        t["today"][inlets] = mean[inlets]
        self.loggers.note(rows, residual, t["days"][leads] > 0)

    def close(self, due: Rows, calm: Array, size: int) -> None:
        """End that day: it teaches the models where (n,) calm says so and the pressures are calm themselves."""
        if self.loggers is None or not self.loggers.ids:
            return
        rows, leads = self._of(due, size)
        teach = np.zeros(size, np.bool_)
        teach[due] = calm & (self.table["today"][due] < _MOST)
        self.loggers.model.close(rows, teach[leads])

    def by_days(self, rows: Rows) -> Array:
        """(n,) accord of the days, 0 to 1."""
        return np.minimum(self.table["days"][rows] / _FULL_DAYS, 1.0)

    def by_hours(self, rows: Rows) -> Array:
        """(n,) accord of the hours, 0 to 1."""
        return np.minimum(self.table["hours"][rows] / _FULL_HOURS, 1.0)

    def named(self, lead: int, size: int) -> dict[str, float]:
        """Mean residual in kPa of the zone's loggers since the pressures left their habit, by evidence name."""
        if self.loggers is None or not self.loggers.ids or self.table["days"][lead] <= 0:
            return {}
        rows, _ = self._of(np.array([lead]), size)
        mean = self.loggers.noted(rows)
        rows, mean = rows[np.isfinite(mean)], mean[np.isfinite(mean)]
        order = np.argsort(mean)[:_NAMED]
        return {
            self.loggers.ids[int(rows[i])] + PRESSURE_SUFFIX: round(float(mean[i]), 3)
            for i in order
        }


def _pooled(leads: Rows, z: Array, size: int) -> tuple[Array, Array]:
    """(size,) mean of min(z^2, 16) of each zone's loggers that speak, and (size,) whether any does."""
    speaks = np.isfinite(z)
    total, count = np.zeros(size), np.zeros(size)
    np.add.at(total, leads[speaks], np.minimum(z[speaks] ** 2, _SQUARE))
    np.add.at(count, leads[speaks], 1.0)
    return total / np.maximum(count, 1.0), count > 0

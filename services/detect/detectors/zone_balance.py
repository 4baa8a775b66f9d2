"""Does more water enter a zone than its meters count? Mass balance, where meters cover the zone.

Question: has the part of the inflow that no meter sees grown, for hours?
Formula: r = inflow - sum of the meters, in L/h by full hour; z = (r - m) / sigma over the last 14 days of hours that
    were not flagged. Homes without a meter and lost readings make r skewed: d = |r - median| up to 6 times
    1.4826 MAD, sigma = max(1.4826 MAD, root mean square of d, 2 % of the usual inflow), and m is the median plus the
    mean of what the sum would see, (r - median) within 4 sigma. S = max(0, S + min(z, 4) - k), k = .75, raised when
    S > h (Page 1954). Cleared when a sum of the other direction, measured from the leak's own mean, exceeds
    h. The leak is the mean of r - median since S left zero. A zone whose median r is above 35 % of its inflow is not
    covered by meters and is left to `zone_leak`.
Units: L/h. Defaults: h = 18 sigmas (6 hours at least). Needs 72 hours.
Source: water balance of the IWA, by the hour; Page's CUSUM.
Missing: an hour in which less than 90 % of the meters or half the inlet is known is skipped; r is taken with the sum
    scaled by the usual use of the meters heard to that of all, so that a silent customer is no leak, and what is
    imputed so widens sigma by as much. Evidence counts the hours of the spell in which inlets or meters were not heard.
    Irregular stamps: litres are shared out over the hours. Late readings enter as long as the hour has not been judged
    (one hour after it ended).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.zone_loss import confidence, loss, told_daily
from services.detect.elementwise import clip
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.coverage import Seen, held
from services.detect.windows.rolling import Rolling
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import HOUR_US

HOURS: Final = 14 * 24
NEEDED: Final = 72
_K: Final = 0.75
_CLIP: Final = 4.0
_FLOOR: Final = 0.02
_FAR: Final = 6.0
_COVERS: Final = 0.35
_CRITICAL: Final = 0.4
_WARNING: Final = 0.05


class ZoneBalance:
    """Inflow less meters, hour by hour."""

    rule = Rule.ZONE_LEAK

    def __init__(self, settings: DetectorSettings) -> None:
        self.h = settings.balance_cusum_h
        self.episodes = Episodes()
        self.ring = Rolling(HOURS, "f4")
        self.table = Table(
            {
                "inflow": Field("f8", np.nan),
                "judged_hour": Field("i8", -1),
                "sum": Field("f8"),
                "total": Field("f8"),
                "hours": Field("i4"),
                "since_us": Field("i8", NEVER),
                "mark": Field("f8", 0.0, (2,)),
                "down": Field("f8"),
                "leak": Field("f8"),
                "litres": Field("f8"),
                "counted_us": Field("i8", NEVER),
                "sure": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "balance": self.table,
            "episodes": self.episodes.table,
            "residuals": self.ring.table,
        }

    def covers(self, rows: Array, hour: int) -> Array:
        """(n,) bool: the zone is judged here, by meters, in these days."""
        recent = hour - self.table["judged_hour"][rows] <= NEEDED
        usual, _ = self.ring.median_mad(rows)
        inflow = self.table["inflow"][rows]
        young = self.ring.count(rows) < NEEDED
        return recent & (young | (usual <= _COVERS * np.where(np.isnan(inflow), 0.0, inflow)))

    def step(
        self, subjects: Subjects, hour: int, told_us: int, inflow: Array, metered: Array,
        imputed: Array, seen: Seen,
    ) -> list[Condition]:  # fmt: skip
        """Take one full hour of each of n zones.

        Args:
            inflow, metered: (n,) L/h in, and counted by all meters, of which (n,) imputed for those not heard.
            seen: what was heard of both.
        """
        t, rows = self.table, subjects.rows
        start_us = np.full(len(rows), hour * HOUR_US)
        told = np.full(len(rows), told_us)
        residual = inflow - metered
        before = t["inflow"][rows]
        t["inflow"][rows] = np.where(np.isnan(before), inflow, before + 0.01 * (inflow - before))
        t["judged_hour"][rows] = hour
        usual, sigma = _habit(self.ring, rows, _FLOOR * np.abs(t["inflow"][rows]))
        sigma = np.hypot(sigma, imputed)
        ready = (self.ring.count(rows) >= NEEDED) & (sigma > 0) & self.covers(rows, hour)
        excess = np.where(ready, residual - usual, 0.0)
        safe = np.where(ready, sigma, 1.0)
        z = excess / safe
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        total, count = t["sum"][rows], t["hours"][rows]
        after = np.where(ready, np.maximum(0.0, total + np.minimum(z, _CLIP) - _K), total)
        begins = (total <= 0) & (after > 0)
        since = np.where(begins, start_us, t["since_us"][rows])
        mark = np.where((begins & ~active)[:, None], seen.before, t["mark"][rows])
        mass = np.where(begins | (after <= 0), 0.0, t["total"][rows]) + excess
        count = np.where(begins | (after <= 0), 0, count) + ready
        mean = mass / np.maximum(count, 1)
        leak = np.where(active, t["leak"][rows] + 0.05 * (excess - t["leak"][rows]), mean)
        leak = np.where(active & (excess < 0.5 * t["leak"][rows]), t["leak"][rows], leak)
        gone = np.where(ready, clip((0.5 * t["leak"][rows] - excess) / safe, -_CLIP, _CLIP), 0)
        down = np.where(active, np.maximum(0.0, t["down"][rows] + gone), 0.0)
        bad = ~active & ready & (after > self.h)
        good = active & (down > self.h)
        begun = np.where(active, onset, np.where(since == NEVER, start_us, since))
        end_us = start_us + HOUR_US
        spell = (end_us - np.where(active, t["counted_us"][rows], begun)) / HOUR_US
        gone_h = np.where(
            active & (excess < 0.5 * leak), 0.0, spell
        )  # hours after the repair cost nothing
        sure = np.where(active, t["sure"][rows], confidence(after / self.h, np.zeros(len(rows))))
        litres = np.where(active, t["litres"][rows], 0.0) + np.maximum(leak, 0.0) * gone_h
        share = leak / np.maximum(t["inflow"][rows], 1e-9)
        severity = np.where(share >= _CRITICAL, 2, np.where(share >= _WARNING, 1, 0))
        changes = self.episodes.step(rows, told, bad, good, begun, severity)
        changes = told_daily(changes, active, begun, end_us)
        on = self.episodes.active(rows)
        restart = on | good
        for name, value in (
            ("sum", after), ("total", mass), ("hours", count), ("down", down),
        ):  # fmt: skip
            t[name][rows] = np.where(restart & (name != "down"), 0, value)
        t["mark"][rows] = mark
        t["since_us"][rows] = np.where(restart | (after <= 0), NEVER, since)
        t["leak"][rows] = np.where(on, leak, 0.0)
        t["litres"][rows] = np.where(on, litres, 0.0)
        t["counted_us"][rows], t["sure"][rows] = end_us, sure
        teach = ~on & ~good & ~(z > 3) & (after < 0.5 * self.h)
        self.ring.push(rows[teach], residual[teach])
        if not changes:
            return []

        raises = usual + (_K + self.h / np.maximum(count, 1)) * sigma
        limit = np.where(active, usual + 0.5 * leak, raises)
        value = np.where(active & ~on, residual, usual + leak)

        def evidence(i: int) -> Evidence:
            window_s = float(start_us[i] + HOUR_US - begun[i]) / 1e6
            readings, missing = held(mark[i], seen.after[i], window_s / 3600)
            return Evidence(
                "flow_litres_per_h", "L/h",
                round(float(value[i]), 1), round(float(limit[i]), 1),
                round(float(usual[i]), 1), window_s, readings, missing,
                loss(leak[i], litres[i], sure[i])
                | {
                    "inflow_litres_per_h": round(float(inflow[i]), 1),
                    "metered_litres_per_h": round(float(metered[i]), 1),
                    "sum_sigmas_1": round(float(after[i]), 2),
                    "sum_limit_1": self.h,
                    "sigma_litres_per_h": round(float(sigma[i]), 2),
                },
            )  # fmt: skip

        return emit(
            self.rule, subjects, changes, told, begun, self.episodes.severity(rows), sure, evidence,
        )  # fmt: skip


def _habit(ring: Rolling, rows: Array, floor: Array) -> tuple[Array, Array]:
    """(n,) what r is as a rule, and (n,) its spread, both L/h; NaN where nothing is known."""
    median, mad = ring.median_mad(rows)
    away = ring.values(rows).astype(np.float64) - median[:, None]
    count = np.maximum(ring.count(rows), 1)
    known = np.isfinite(away)
    narrow = np.maximum(1.4826 * mad, floor)
    far = np.where(known, np.minimum(np.abs(away), _FAR * narrow[:, None]), 0.0)
    sigma = np.maximum(narrow, np.sqrt((far * far).sum(axis=1) / count))
    most = (_CLIP * sigma)[:, None]
    seen = np.where(known, clip(away, -most, most), 0.0)
    return median + seen.sum(axis=1) / count, sigma

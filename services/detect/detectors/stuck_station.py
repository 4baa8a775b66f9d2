"""Does a traffic sensor repeat one and the same value? Its electronics hang.

Question: has the value (speed; occupancy where there is no speed; the count where there is neither) been the same, and
    not zero, for too long to be chance?
Formula: the same value to the last digit for `stuck_traffic_min` minutes, and proof += w at every repeat, >= 14. The
    weight w is 2 for a speed or an occupancy and ln(2 sqrt(pi m)) for a count of m (two Poisson counts of mean m are
    equal once in 2 sqrt(pi m)); metrics that repeat together add up. So it takes eight readings where one metric is
    told and three or four where all hang. A count must be five vehicles or more: small ones repeat by chance. A whole
    occupancy beside a count that moves is light traffic. Cleared by two other values.
Units: that of the metric. Default: 15 min. Source: PeMS 'Constant', IRIS 'No Change'.
Missing: a reading without value, and a speed of a time in which no vehicle passed, neither adds nor ends. Late readings
    do not enter. Irregular stamps: by time. A pause (over 30 min and four intervals) begins a new run.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.presence import missing_share
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_PROOF, _WEIGHT = 14.0, 2.0
_LEAST_VEH = 5.0
_COLUMNS = (("speed_km_per_h", "km/h"), ("occupancy_pct", "%"), ("count_veh", "{veh}"))


class StuckStation:
    """Runs of one value."""

    rule = Rule.STUCK

    def __init__(self, settings: DetectorSettings) -> None:
        self.limit_us = int(settings.stuck_traffic_min * 60 * SECOND_US)
        self.episodes = Episodes(off_delay_us=1)
        self.table = Table(
            {
                "value": Field("f8", np.nan),
                "since_us": Field("i8", NEVER),
                "readings": Field("i4"),
                "occupancy": Field("f4", np.nan),
                "vehicles": Field("f4", np.nan),
                "proof": Field("f4"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"run": self.table, "episodes": self.episodes.table}

    def repeated(self, rows: Rows) -> Array:
        """(n,) readings in a row that showed the present value; 0 where that is none or zero."""
        value = self.table["value"][rows]
        return np.where(_moves(value), self.table["readings"][rows], 0)

    def step(
        self,
        subjects: Subjects,
        at_us: Array,
        speed: Array,
        occupancy: Array,
        vehicles: Array,
        cadence_us: Array,
        broken: Array,
    ) -> list[Condition]:
        """Take one reading of each of n stations.

        Args:
            speed, occupancy, vehicles: (n,) km/h, % and vehicles since the last reading, NaN missing.
            cadence_us: (n,) between readings, 0 not known; broken: (n,) bool, a long pause lies before the reading.
        """
        t, rows = self.table, subjects.rows
        measured = (np.where(vehicles == 0, np.nan, speed), occupancy, vehicles)
        column = np.where(np.isfinite(speed), 0, np.where(np.isfinite(occupancy), 1, 2))
        value = np.choose(column, [measured[0], -1.0 - occupancy, -1000.0 - vehicles])
        known = np.isfinite(value)
        old, since = t["value"][rows], t["since_us"][rows]
        same = known & (value == old) & ~broken
        same, proof = self._prove(rows, same, known, occupancy, vehicles, column)
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        began = np.where(same | ~known, since, at_us)
        number = np.where(same, t["readings"][rows] + 1, np.where(known, 1, t["readings"][rows]))
        lasted = at_us - np.where(began == NEVER, at_us, began)
        moving = _moves(value)
        bad = same & moving & (lasted >= self.limit_us) & (proof >= _PROOF)
        severity = np.ones(len(rows), np.int8)
        since = self.episodes.table["since_us"][rows]  # of the values that move again
        changes = self.episodes.step(rows, at_us, bad, known & ~same, began, severity)
        out: list[Condition] = []
        if changes:
            over = active & known & ~same & (since != NEVER)
            held = np.where(over, at_us - np.where(over, since, 0), lasted)
            told = np.where(over, number + 1, number)
            missing = missing_share(told, held, cadence_us)

            def evidence(i: int) -> Evidence:
                told_value = float(measured[int(column[i])][i])
                return Evidence(
                    *_COLUMNS[int(column[i])], told_value if np.isfinite(told_value) else None, None, None,
                    float(held[i] / SECOND_US), int(told[i]), round(float(missing[i]), 3),
                    {
                        "unchanged_min": round(float(lasted[i] / (60 * SECOND_US)), 1),
                        "limit_min": self.limit_us / (60 * SECOND_US),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, at_us, np.where(active, onset, began), severity,
                np.full(len(rows), 0.95), evidence,
            )  # fmt: skip
        t["value"][rows] = np.where(known, value, old)
        t["since_us"][rows] = began
        t["readings"][rows] = number
        return out

    def _prove(
        self,
        rows: Rows,
        same: Array,
        known: Array,
        occupancy: Array,
        vehicles: Array,
        column: Array,
    ) -> tuple[Array, Array]:
        """(n,) bool, the value repeats where traffic would move it; (n,) what the run proves by now.

        Args:
            same, known: (n,) bool, the value repeats, there is one; column: (n,) of it.
        """
        t = self.table
        told = np.isfinite(vehicles)
        counts = told & (vehicles.astype(np.float32) == t["vehicles"][rows])
        covers = (occupancy > 0) & (occupancy.astype(np.float32) == t["occupancy"][rows])
        same = same & ~((column == 1) & told & ~counts & (np.mod(occupancy, 1.0) == 0))
        many = np.where(counts & (vehicles >= _LEAST_VEH), vehicles, 0.0)
        gain = np.where(many > 0, np.log(2 * np.sqrt(np.pi * np.maximum(many, 1.0))), 0.0)
        gain = gain + _WEIGHT * ((column < 2).astype(np.int8) + ((column == 0) & covers))
        proof = np.where(same, t["proof"][rows] + gain, np.where(known, 0.0, t["proof"][rows]))
        t["proof"][rows], t["occupancy"][rows], t["vehicles"][rows] = proof, occupancy, vehicles
        return same, proof


def _moves(value: Array) -> Array:
    """(n,) bool: a value that a living sensor changes; zero and small counts may stand still."""
    count = -1000.0 - value
    small = (count > -1) & (count < _LEAST_VEH)
    return np.asarray(np.isfinite(value) & (value != 0.0) & (value != -1.0) & ~small)

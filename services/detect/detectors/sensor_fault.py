"""Does a traffic sensor contradict itself or its own habit? Its alarms are not to be believed until it is mended.

Question: does one of these hold for long enough?
    occupied without vehicles: occupancy > 0 and no vehicle, 15 min; locked on: occupancy >= 90 %, 10 min;
    zero in daytime: no vehicle and no occupancy for 15 min in which 30 vehicles are usual;
    chatter: speed jumps of more than 35 km/h from reading to reading in 45 % of the last half hour.
Formula: each sign is a run in time; raised when any run is long enough; cleared after 10 minutes without a sign.
Units: minutes, shares. Source: PeMS diagnostics (Chen 2003), IRIS (No Hits, Chatter, Locked On).
Missing: a metric that is absent gives no sign. Late readings do not enter. Irregular stamps: by time.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_MINUTE = 60 * SECOND_US
_GHOST, _LOCKED, _DEAD = 15 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE
_JUMP, _JUMPS, _HALF_HOUR = 35.0, 0.45, 30 * _MINUTE
_USUAL_VEHICLES = 30.0
SIGNS = ("occupied_without_vehicles", "locked_on", "zero_in_daytime", "chatter")


class SensorFault:
    """Contradictions of a traffic sensor."""

    rule = Rule.SENSOR_FAULT

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.episodes = Episodes(off_delay_us=10 * _MINUTE)
        self.table = Table(
            {
                "ghost_us": Field("i8", NEVER),
                "locked_us": Field("i8", NEVER),
                "dead_us": Field("i8", NEVER),
                "usual": Field("f8"),
                "speed": Field("f8", np.nan),
                "jumps": Field("f8"),
                "chatter_us": Field("i8", NEVER),
                "sign": Field("i1"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"signs": self.table, "episodes": self.episodes.table}

    def step(
        self,
        subjects: Subjects,
        at_us: Array,
        dt_us: Array,
        vehicles: Array,
        speed: Array,
        occupancy: Array,
        usual_vehicles: Array,
    ) -> list[Condition]:
        """Take one reading of each of n stations.

        Args:
            dt_us: (n,) since the last one; 0 at the first.
            vehicles, usual_vehicles: (n,) in that time, NaN unknown; speed km/h; occupancy %.
        """
        t, rows = self.table, subjects.rows
        none = vehicles == 0
        ghost = self._run(
            "ghost_us",
            rows,
            at_us,
            none & (occupancy > 0),
            np.isfinite(vehicles) & np.isfinite(occupancy),
        )
        locked = self._run("locked_us", rows, at_us, occupancy >= 90, np.isfinite(occupancy))
        quiet = none & ~(occupancy > 0) & ~(speed > 0)
        dead = self._run("dead_us", rows, at_us, quiet, np.isfinite(vehicles))
        usual = np.where(
            quiet & (dt_us < _HALF_HOUR), t["usual"][rows] + np.nan_to_num(usual_vehicles), 0.0
        )
        usual = np.where(np.isfinite(vehicles), usual, t["usual"][rows])
        t["usual"][rows] = usual
        old = t["speed"][rows]
        known = np.isfinite(speed)
        jump = np.abs(speed - old) > _JUMP
        share = np.minimum(dt_us / _HALF_HOUR, 0.2)
        jumps = t["jumps"][rows]
        jumps = np.where(known & np.isfinite(old), jumps + share * (jump - jumps), jumps)
        t["jumps"][rows] = jumps
        t["speed"][rows] = np.where(known, speed, old)
        chatter = self._run("chatter_us", rows, at_us, jumps > 0.5 * _JUMPS, np.isfinite(jumps))
        signs = np.stack(
            [
                ghost >= _GHOST,
                locked >= _LOCKED,
                (dead >= _DEAD) & (usual >= _USUAL_VEHICLES),
                jumps >= _JUMPS,
            ]
        )
        bad: Array = np.asarray(signs.any(axis=0))
        sign = np.where(bad, signs.argmax(axis=0), t["sign"][rows])
        t["sign"][rows] = sign
        runs = np.stack([ghost, locked, dead, chatter])
        lasted = runs[sign, np.arange(len(rows))]
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        severity = np.ones(len(rows), np.int8)
        changes = self.episodes.step(
            rows,
            at_us,
            bad,
            np.asarray(~bad & ~(jumps > 0.5 * _JUMPS)),
            at_us - np.maximum(lasted, 0),
            severity,
        )
        if not changes:
            return []

        def evidence(i: int) -> Evidence:
            column, unit, value, limit = (
                ("count_veh", "{veh}", 0.0, None),
                ("occupancy_pct", "%", float(occupancy[i]), 90.0),
                ("count_veh", "{veh}", 0.0, _USUAL_VEHICLES),
                ("speed_km_per_h", "km/h", float(jumps[i]), _JUMPS),
            )[int(sign[i])]
            return Evidence(
                column, unit, value if np.isfinite(value) else None, limit, None,
                float(max(lasted[i], 0) / SECOND_US), 0, 0.0,
                {f"{SIGNS[int(sign[i])]}_min": round(float(max(lasted[i], 0) / _MINUTE), 1), "sign_1": float(sign[i])},
            )  # fmt: skip

        return emit(
            self.rule, subjects, changes, at_us,
            np.where(active, onset, at_us - np.maximum(lasted, 0)), severity, np.full(len(rows), 0.9), evidence,
        )  # fmt: skip

    def _run(self, name: str, rows: Array, at_us: Array, sign: Array, known: Array) -> Array:
        """(n,) microseconds that the sign has lasted; -1 where it does not hold."""
        since = self.table[name][rows]
        since = np.where(
            known, np.where(sign, np.where(since == NEVER, at_us, since), NEVER), since
        )
        self.table[name][rows] = since
        return np.where(since == NEVER, -1, at_us - np.where(since == NEVER, 0, since))

"""Does a traffic sensor contradict itself or its own habit? Its alarms are not to be believed until it is mended.

Question: does one of these hold for long enough?
    occupied without vehicles: occupancy > 0 and no vehicle, 15 min; locked on: occupancy >= 90 %, 10 min;
    zero in daytime: no vehicle and no occupancy for 15 min in which 30 vehicles are usual;
        (none of these three where an incident keeps all vehicles from passing, which ends a misfit too;)
    chatter: speed jumps of more than 35 km/h from reading to reading in 30 % of the last quarter of an hour,
    or of some twenty readings where those come more rarely (a jam that arrives between two of them is no chatter;
    but one that flow and occupancy, below 15 %, deny by a factor of 1.65 counts three times);
    misfit: occupancy x speed / flow, the length that a vehicle seems to have, is off its own habit by a factor of
    2 for 10 min (in free traffic, from 70 km/h and up to 15 % of occupancy: beside a queue on one lane alone the means
    over all lanes do not fit each other; lost or doubled counts; without a speed, occupancy / flow up to 8 %);
    miscount: both neighbours on the road agree that it counts a fifth too few or a quarter too many vehicles, for two
    hours (`flow_ratio.py`).
Formula: each sign is a run in time; raised when any run is long enough; cleared after 10 minutes without a sign.
Units: minutes, shares. Source: PeMS diagnostics (Chen 2003), IRIS (No Hits, Chatter, Locked On).
Missing: a metric that is absent gives no sign; a pause of four readings and half an hour ends one. Late readings do
    not enter. Irregular stamps: by time.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.detectors.flow_ratio import SIGN as MISCOUNT
from services.detect.detectors.flow_ratio import FlowRatio
from services.detect.elementwise import or_zero
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Rows, Table
from services.detect.windows.presence import missing_share
from services.detect.windows.speed_estimate import FREE_KM_PER_H
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US

_MINUTE = 60 * SECOND_US
_GHOST, _LOCKED, _DEAD = 15 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE
_JUMP, _JUMPS, _CHATTER, _HALF_HOUR = 35.0, 0.3, 15 * _MINUTE, 30 * _MINUTE
_LARGEST, _DENIED_LARGEST, _DENIED = 0.05, 0.15, 0.5
"""The most that one reading counts among the jumps: where readings are rare, seven in a row must jump, or three of
which occupancy and flow, whose ratio falls as speed rises, know nothing (by so much in logarithms)."""
_MISFIT, _FACTOR, _FREE_KM_PER_H = 10 * _MINUTE, 2.0, 70.0
_UNSURE = 0.15
_FIT_SHORT, _FIT_LONG, _FIT_KNOWN = 5 * _MINUTE, 24 * 60 * _MINUTE, 24
_USUAL_VEHICLES = 30.0
_LIGHT_PCT, _FREE_PCT = 8.0, 15.0
_BEGINS = ("ghost_us", "locked_us", "dead_us", "chatter_us", "misfit_us")
SIGNS = (
    "occupied_without_vehicles", "locked_on", "zero_in_daytime", "chatter", "misfit", "miscount",
)  # fmt: skip

_LIMITS = {
    "occupied_without_vehicles": {"needed_min": _GHOST / _MINUTE},
    "locked_on": {"needed_min": _LOCKED / _MINUTE},
    "zero_in_daytime": {"needed_min": _DEAD / _MINUTE, "needed_usual_veh": _USUAL_VEHICLES},
    "misfit": {"needed_min": _MISFIT / _MINUTE},
}
"""Sign -> what it asks for besides its value, for the evidence; chatter is decided by its value alone."""


class SensorFault:
    """Contradictions of a traffic sensor."""

    rule = Rule.SENSOR_FAULT

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.episodes = Episodes(off_delay_us=10 * _MINUTE)
        self.ratio = FlowRatio()
        self.table = Table(
            {
                "ghost_us": Field("i8", NEVER),
                "locked_us": Field("i8", NEVER),
                "dead_us": Field("i8", NEVER),
                "usual": Field("f8"),
                "speed": Field("f8", np.nan),
                "jumps": Field("f8"),
                "thick": Field("f4", np.nan),
                "chatter_us": Field("i8", NEVER),
                "fit": Field("f8", np.nan),
                "habit": Field("f8", np.nan),
                "fits": Field("i4"),
                "misfit_us": Field("i8", NEVER),
                "sign": Field("i1"),
                "fine": Field("i4"),
                "run_readings": Field("i4", 0, (len(SIGNS),)),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "signs": self.table,
            "episodes": self.episodes.table,
            **{f"ratio.{name}": table for name, table in self.ratio.tables.items()},
        }

    def contradicts(self, rows: Rows) -> Array:
        """(n,) bool, a fault is told of `rows` that they show by themselves, without their neighbours."""
        return np.asarray(self.episodes.active(rows) & (self.table["sign"][rows] != MISCOUNT))

    def misfits(self, rows: Rows) -> Array:
        """(n,) bool, the counts of the last minutes are a sixth off what occupancy and speed make of them as a rule."""
        return np.asarray(np.abs(self.table["fit"][rows] - self.table["habit"][rows]) > _UNSURE)

    def usual_length(self, rows: Rows) -> Array:
        """(n,) logarithm of the length that vehicles seem to have as a rule, % x km/h x microseconds; NaN not known."""
        return np.where(self.table["fits"][rows] >= _FIT_KNOWN, self.table["habit"][rows], np.nan)

    def step(
        self,
        subjects: Subjects,
        at_us: Array,
        dt_us: Array,
        vehicles: Array,
        speed: Array,
        occupancy: Array,
        usual_vehicles: Array,
        cadence_us: Array,
        halted: Array,
        paused: Array,
    ) -> list[Condition]:
        """Take one reading of each of n stations.

        Args:
            dt_us: (n,) since the last one; 0 at the first.
            vehicles, usual_vehicles: (n,) in that time, NaN unknown; speed km/h; occupancy %.
            cadence_us: (n,) between readings, 0 not known.
            halted: (n,) bool, an incident keeps all vehicles from passing: that none does is no sign.
            paused: (n,) bool, nothing had come for half an hour and four readings.
        """
        t, rows = self.table, subjects.rows
        if paused.any():  # what lay in between is not known: every sign begins anew
            for name in (*_BEGINS, "run_readings"):
                t[name][rows[paused]] = NEVER if name in _BEGINS else 0
        none = (vehicles == 0) & ~halted
        counted, covered = np.isfinite(vehicles), np.isfinite(occupancy)
        moving = np.isfinite(speed) | (vehicles == 0)
        ghost = self._run(0, rows, at_us, none & (occupancy > 0), counted & covered)
        locked = self._run(1, rows, at_us, (occupancy >= 90) & ~halted, covered)
        quiet = none & ~(occupancy > 0) & ~(speed > 0)
        dead = self._run(2, rows, at_us, quiet, counted)
        usual = np.where(
            quiet & (dt_us < _HALF_HOUR), t["usual"][rows] + or_zero(usual_vehicles), 0.0
        )
        usual = np.where(np.isfinite(vehicles), usual, t["usual"][rows])
        t["usual"][rows] = usual
        old = t["speed"][rows]
        known = np.isfinite(speed)
        jump = np.abs(speed - old) > _JUMP
        largest = np.where(
            jump & self._denies(rows, dt_us, vehicles, speed, occupancy), _DENIED_LARGEST, _LARGEST
        )
        share = np.minimum(dt_us / _CHATTER, largest)
        jumps = t["jumps"][rows]
        jumps = np.where(known & np.isfinite(old), jumps + share * (jump - jumps), jumps)
        t["jumps"][rows] = jumps
        t["speed"][rows] = np.where(known, speed, old)
        chatter = self._run(3, rows, at_us, jumps > 0.5 * _JUMPS, moving)
        misfit = self._fit(rows, at_us, dt_us, vehicles, speed, occupancy, halted)
        miscounts = self.ratio.since_us(rows)
        miscount = np.where(miscounts == NEVER, -1, at_us - np.maximum(miscounts, 0))
        signs = np.stack(
            [
                ghost >= _GHOST,
                locked >= _LOCKED,
                (dead >= _DEAD) & (usual >= _USUAL_VEHICLES),
                jumps >= _JUMPS,
                misfit >= _MISFIT,
                miscount >= 0,
            ]
        )
        bad: Array = np.asarray(signs.any(axis=0))
        sign = np.where(bad, signs.argmax(axis=0), t["sign"][rows])
        t["sign"][rows] = sign
        runs = np.stack([ghost, locked, dead, chatter, misfit, miscount])
        lasted = runs[sign, np.arange(len(rows))]
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        severity = np.ones(len(rows), np.int8)
        good: Array = np.asarray(~bad & ~(jumps > 0.5 * _JUMPS))
        since = self.episodes.table["since_us"][
            rows
        ]  # of the readings without a sign, while it is on
        fine = np.where(active & good, np.where(since == NEVER, 0, t["fine"][rows]) + 1, 0)
        t["fine"][rows] = fine
        changes = self.episodes.step(
            rows, at_us, bad, good, at_us - np.maximum(lasted, 0), severity
        )
        if not changes:
            return []
        held = np.where(lasted >= 0, lasted, np.where(since == NEVER, 0, at_us - since))
        number = np.where(lasted >= 0, t["run_readings"][rows, sign], fine)
        missing = missing_share(number, held, cadence_us)

        def evidence(i: int) -> Evidence:
            numbers = {
                f"{SIGNS[int(sign[i])]}_min": round(float(max(lasted[i], 0) / _MINUTE), 1),
                "sign_1": float(sign[i]),
            } | _LIMITS.get(SIGNS[int(sign[i])], {})
            if sign[i] == MISCOUNT:
                return self.ratio.evidence(subjects.ids, int(rows[i]), numbers)
            ratio = float(np.exp(t["fit"][rows[i]] - t["habit"][rows[i]]))
            column, unit, value, limit, baseline = (
                ("occupancy_pct", "%", float(occupancy[i]), 0.0, None),
                ("occupancy_pct", "%", float(occupancy[i]), 90.0, None),
                ("count_veh", "{veh}", float(vehicles[i]), None, round(float(usual[i]), 1)),
                ("speed_km_per_h", "1", float(jumps[i]), _JUMPS, None),
                ("count_veh", "1", ratio, _FACTOR if ratio > 1 else 1 / _FACTOR, 1.0),
            )[int(sign[i])]
            return Evidence(
                column, unit, round(value, 3) if np.isfinite(value) else None, limit, baseline,
                float(held[i] / SECOND_US), int(number[i]), round(float(missing[i]), 3), numbers,
            )  # fmt: skip

        return emit(
            self.rule, subjects, changes, at_us,
            np.where(active, onset, at_us - np.maximum(lasted, 0)), severity, np.full(len(rows), 0.9), evidence,
        )  # fmt: skip

    def _denies(
        self, rows: Rows, dt_us: Array, vehicles: Array, speed: Array, occupancy: Array
    ) -> Array:
        """(n,) bool, the speed has changed since the last reading, and occupancy for each vehicle did not follow."""
        t = self.table
        known = (vehicles >= 3) & (occupancy >= 0.5) & (occupancy <= _FREE_PCT) & (dt_us > 0)
        thick = np.log(np.where(known, occupancy * dt_us / np.where(known, vehicles, 1.0), np.nan))
        faster = np.log(np.maximum(speed, 1.0) / np.maximum(t["speed"][rows], 1.0))
        off = np.abs(faster + thick - t["thick"][rows])
        t["thick"][rows] = thick
        return np.asarray(off > _DENIED)

    def _fit(
        self,
        rows: Rows,
        at_us: Array,
        dt_us: Array,
        vehicles: Array,
        speed: Array,
        occupancy: Array,
        halted: Array,
    ) -> Array:
        """(n,) microseconds for which the apparent length of vehicles has been off its habit; -1 where it is not."""
        t = self.table
        present = np.isfinite(vehicles) & np.isfinite(occupancy)
        light = np.isnan(speed) & (
            occupancy <= _LIGHT_PCT
        )  # no speed is told: free traffic, by its occupancy
        speed = np.where(light, FREE_KM_PER_H, speed)
        known = (vehicles >= 3) & (speed >= _FREE_KM_PER_H) & (dt_us > 0)
        known &= (occupancy >= 0.5) & (occupancy <= _FREE_PCT)
        if not known.any():
            return self._run(4, rows, at_us, known, halted, present)
        length = np.log(
            np.where(known, occupancy * speed * dt_us / np.where(known, vehicles, 1.0), 1.0)
        )
        fit, habit, fits = t["fit"][rows], t["habit"][rows], t["fits"][rows]
        short = np.minimum(dt_us / _FIT_SHORT, 0.5)
        fit = np.where(known, np.where(np.isnan(fit), length, fit + short * (length - fit)), fit)
        off = np.abs(fit - habit) > np.log(_FACTOR)
        learn = known & ~(off & (fits >= _FIT_KNOWN))
        long = np.maximum(np.minimum(dt_us / _FIT_LONG, 0.1), 1.0 / (fits + 2.0))
        habit = np.where(
            learn, np.where(np.isnan(habit), length, habit + long * (length - habit)), habit
        )
        t["fit"][rows], t["habit"][rows] = fit, habit
        t["fits"][rows] = np.minimum(fits + learn, 2**30)
        off = off & (fits >= _FIT_KNOWN) & ~halted
        return self._run(4, rows, at_us, off, known | halted, present)

    def _run(
        self,
        sign: int,
        rows: Rows,
        at_us: Array,
        holds: Array,
        known: Array,
        present: Array | None = None,
    ) -> Array:
        """(n,) microseconds that the sign has held; -1 where it does not.

        Args:
            known: (n,) bool, the reading can tell whether it holds; others neither add nor end.
            present: (n,) bool, the reading brought what the sign looks at; `known` where not given.
        """
        t, name = self.table, _BEGINS[sign]
        since = t[name][rows]
        off = since == NEVER
        if off.all() and not holds.any():
            return np.full(len(rows), -1, np.int64)
        since = np.where(known, np.where(holds, np.where(off, at_us, since), NEVER), since)
        t[name][rows] = since
        came = t["run_readings"][rows, sign] + (known if present is None else present)
        t["run_readings"][rows, sign] = np.where(since == NEVER, 0, np.where(off, 1, came))
        off = since == NEVER
        return np.where(off, -1, at_us - np.where(off, 0, since))

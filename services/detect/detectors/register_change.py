"""Has the register begun anew? A note for the meter's history: rollover, reset or exchange, and that no use was lost.

Question: did the register pass its end, or go on somewhere else, and count on as before from there?
Formula: what the window of intervals calls a rollover, a reset or an exchange (`domain/register.py`), once three
    readings in a row have counted on from there by an ordinary amount (<= 2,000 L/h); anything else in between (a
    jump, another fall, another unit) and it is forgotten: one wrong value is no exchange, nor are two registers
    under one name.
Units: L. Default: three readings. Told once, as info, and over at once: it is a note that people find in the
    list of alerts, and no channel tells of it. Source: ANCHORS of AMI practice: exchanges as events, never as flow.
Missing: readings without a register change nothing. Late and duplicate readings do not enter. Irregular stamps do not
    matter. What ran between the last reading of the old and the first of the new register is unknown, and said so.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Transitions
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.intervals import Intervals
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import SECOND_US
from services.domain.register import MeterEvent

_SETTLED: Final = 3
_ORDINARY_LITRES_PER_H: Final = 2000.0
_SCORE: Final = 0.95


class RegisterChange:
    """Registers that begin anew."""

    rule = Rule.REGISTER

    def __init__(self, settings: DetectorSettings) -> None:
        del settings
        self.table = Table(
            {
                "event": Field("i1"),
                "settled": Field("i1"),
                "last_us": Field("i8", NEVER),
                "first_us": Field("i8", NEVER),
                "old": Field("f8"),
                "new": Field("f8"),
                "litres": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {"change": self.table}

    def step(
        self, subjects: Subjects, intervals: Intervals, before: Array, register: Array
    ) -> list[Condition]:
        """Take one interval of each of n meters; before, register (n,) L: the one before it, and its own."""
        t, rows = self.table, intervals.rows
        spoke = ~intervals.late & np.isfinite(register)
        begun = spoke & np.isin(intervals.event, (MeterEvent.ROLLOVER, MeterEvent.EXCHANGE))
        jumped = spoke & (intervals.event == MeterEvent.JUMP)
        waits = t["event"][rows] != MeterEvent.NONE
        at = np.flatnonzero(spoke & (begun | jumped | waits))
        if at.size == 0:
            return []
        rows, begun, jumped, waits = rows[at], begun[at], jumped[at], waits[at]
        back = t["event"][rows] == MeterEvent.JUMP  # the reading before was the wrong one
        begun, waits = begun & ~back, waits & ~back
        litres, hours = intervals.litres[at], intervals.hours[at]
        plain = (intervals.event[at] == MeterEvent.NONE) & (litres >= 0)
        plain &= litres <= _ORDINARY_LITRES_PER_H * np.maximum(hours, 1.0)
        settled = np.where(plain, t["settled"][rows] + 1, 0)
        for name, value in (
            ("event", intervals.event[at]), ("last_us", intervals.start_us[at]),
            ("first_us", intervals.end_us[at]), ("old", before[at]), ("new", register[at]),
            ("litres", np.nan_to_num(litres)),
        ):  # fmt: skip
            t[name][rows] = np.where(begun, value, t[name][rows])
        told = waits & plain & (settled >= _SETTLED)
        over = told | back | (waits & ~plain & ~begun)
        found = np.flatnonzero(told)
        out: list[Condition] = []
        if found.size:
            facts = {name: t[name][rows].copy() for name in t.fields}

            def evidence(i: int) -> Evidence:
                window_s = float(facts["first_us"][i] - facts["last_us"][i]) / SECOND_US
                return Evidence(
                    "register_litres", "L", round(float(facts["new"][i]), 3), None,
                    round(float(facts["old"][i]), 3), window_s, 2, 0.0,
                    {
                        "rollover_1": float(facts["event"][i] == MeterEvent.ROLLOVER),
                        "between_litres": round(float(facts["litres"][i]), 3),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects.take(at), Transitions(found, found[:0], found),
                intervals.end_us[at], facts["first_us"], np.zeros(len(rows), np.int8),
                np.full(len(rows), _SCORE), evidence,
            )  # fmt: skip
        event = np.where(over, MeterEvent.NONE, t["event"][rows])
        t["event"][rows] = np.where(jumped, MeterEvent.JUMP, event)
        t["settled"][rows] = np.where(over | begun, 0, settled)
        return out

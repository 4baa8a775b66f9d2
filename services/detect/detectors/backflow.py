"""Does water run the wrong way through a meter? A risk to health before it is a loss.

Question: has the register fallen, as a register falls by flow, and by more than its own noise?
Formula: litres that the register fell within the last day >= max(`backflow_litres`, 2 resolutions), after rollover,
    reset and exchange have been ruled out (`windows/intervals.py`). Cleared after 24 h without a fall.
Units: L. Default: 3 L. Source: ANCHORS of AMI practice: n resolutions, then rule out other causes.
Missing: nothing is concluded. Late and duplicate readings do not enter. Irregular stamps do not matter.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.intervals import Intervals
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.domain.condition import Condition, Evidence, Rule
from services.domain.instant import DAY_US
from services.domain.register import MeterEvent


class Backflow:
    """Falling registers."""

    rule = Rule.BACKFLOW

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes()
        self.seen = SeenHours()
        self.table = Table(
            {
                "start_us": Field("i8", NEVER),
                "last_us": Field("i8", NEVER),
                "litres": Field("f8"),
                "falls": Field("i4"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "fall": self.table,
            "episodes": self.episodes.table,
            "seen": self.seen.table,
        }

    def step(self, subjects: Subjects, intervals: Intervals, resolution: Array) -> list[Condition]:
        """Take one interval of each of n meters; resolution (rows,) L as learned, of all."""
        t, rows = self.table, intervals.rows
        back = (intervals.event == MeterEvent.BACKFLOW) & ~intervals.late & (intervals.litres < 0)
        watched = back | (t["last_us"][rows] != NEVER)
        if not watched.any():
            return []
        i = np.flatnonzero(watched)
        rows, back = rows[i], back[i]
        at, begin, litres_now = intervals.end_us[i], intervals.start_us[i], intervals.litres[i]
        names = subjects.take(i)
        last = t["last_us"][rows]
        quiet = (last != NEVER) & (at - np.where(last == NEVER, at, last) >= DAY_US)
        keep = (last != NEVER) & ~quiet
        start = np.where(keep, t["start_us"][rows], np.where(back, begin, NEVER))
        litres = np.where(keep, t["litres"][rows], 0.0) + np.where(back, -litres_now, 0.0)
        falls = np.where(keep, t["falls"][rows], 0) + back
        seen, number = self.seen.add(
            rows,
            np.where(intervals.late[i], 0.0, intervals.seen_hours[i]),
            ~intervals.late[i],
            (last == NEVER) | (quiet & back),
        )
        limit = np.maximum(self.settings.backflow_litres, 2.0 * resolution[rows].astype(np.float64))
        bad = back & (litres >= limit)
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        severity = np.where(litres >= 100.0, 2, 1)
        changes = self.episodes.step(rows, at, bad, quiet & ~back, start, severity)
        out: list[Condition] = []
        if changes:

            def evidence(k: int) -> Evidence:
                ended = bool(quiet[k] and not back[k])
                total = float(t["litres"][rows[k]]) if ended else float(litres[k])
                window_us = float(at[k] - (t["start_us"][rows[k]] if ended else start[k]))
                return Evidence(
                    "register_litres", "L", round(-total, 2), round(-float(limit[k]), 2), 0.0,
                    window_us / 1e6, int(number[k]), missing_share(float(seen[k]), window_us),
                    {"litres_back": round(total, 2), "falls_1": float(t["falls"][rows[k]] if ended else falls[k])},
                )  # fmt: skip

            out = emit(
                self.rule, names, changes, at, np.where(active, onset, start), severity,
                1.0 - 0.5 * limit / np.maximum(litres, limit), evidence,
            )  # fmt: skip
        self.seen.forget(rows[quiet & ~back])
        t["start_us"][rows] = start
        t["last_us"][rows] = np.where(back, at, np.where(quiet, NEVER, last))
        t["litres"][rows] = litres
        t["falls"][rows] = falls
        return out

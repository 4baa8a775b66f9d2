"""Have the pauses become rare? A leak that comes and goes: a toilet valve, a softener, a dripping fitting.

Question: are hours of little use rarer than this meter's habit, for days, at hours when it used to rest?
Formula: a pause is a block below `intermittent_litres_per_h` (so that the flush of a toilet is no sign); with p0 the
    learned chance of a pause, at hours with p0 >= .4 a block adds log((1 - r p0) / (1 - p0)) when water ran and log(r)
    when none did, r = .3: the log likelihood ratio of 'pauses are three times rarer'. S = max(0, S + step), raised at
    S > `intermittent_evidence` if the pauses since S left zero are at most .4 of those by habit: more people at home
    halve them, a leak that runs two thirds of the time leaves a third. Cleared when S is back at zero.
Units: nats. Default: 30 (with the habit known for two weeks).
Source: Page's CUSUM on a binary series; the vendors' 50 of 96 intervals gives 61 false alarms in 1,000 meter-days.
Missing: an unknown block changes nothing. Late and duplicate readings do not enter. Irregular stamps: by time.
    Cadence: up to 2.2 h; a meter that is read more seldom shows no pauses, and nothing is told.
"""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes
from services.detect.detector_settings import DetectorSettings
from services.detect.elementwise import clip
from services.detect.emission import Subjects, emit
from services.detect.table import NEVER, Array, Field, Table
from services.detect.windows.blocks import Blocks
from services.detect.windows.seen_hours import SeenHours, missing_share
from services.domain.condition import Condition, Evidence, Rule

_RARER = 0.3
_RESTING = 0.4
"""Hours with a smaller chance of a pause tell nothing: a busy day is no leak."""
_AT_MOST = 0.4
"""Of the pauses by habit: guests and new tenants leave half of them, a leak that runs most of the time fewer."""
_CAP = 2.0
"""Evidence is capped at this many limits, so that a repaired leak clears within days."""


class IntermittentLeak:
    """Rare pauses."""

    rule = Rule.INTERMITTENT_LEAK

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.episodes = Episodes()
        self.seen = SeenHours()
        self.table = Table(
            {
                "sum": Field("f8"),
                "start_us": Field("i8", NEVER),
                "hours": Field("f8"),
                "litres": Field("f8"),
                "watched": Field("f8"),
                "pauses": Field("f8"),
                "usual": Field("f8"),
                "running": Field("f8"),
            }
        )

    @property
    def tables(self) -> dict[str, Table]:
        """All state, by name."""
        return {
            "sum": self.table,
            "episodes": self.episodes.table,
            "seen": self.seen.table,
        }

    def pause(self, blocks: Blocks) -> Array:
        """(n,) bool: the block's rate is below `intermittent_litres_per_h`."""
        return blocks.rate < self.settings.intermittent_litres_per_h

    def suspicious(self, rows: Array) -> Array:
        """(n,) bool: nothing should be learned from this spell."""
        return self.table["sum"][rows] > 0.5 * self.settings.intermittent_evidence

    def step(
        self, subjects: Subjects, blocks: Blocks, chance_of_pause: Array, known: Array, mute: Array
    ) -> list[Condition]:
        """Take one finished block of each of n meters.

        Args:
            chance_of_pause: (n,) as learned for the hour; known: (n,) bool, learned for two weeks at least.
            mute: (n,) bool: continuous flow or a burst is on and says it already.
        """
        s, t, rows = self.settings, self.table, blocks.rows
        p0 = np.minimum(chance_of_pause, 0.9)
        pause = self.pause(blocks)
        step = np.where(pause, np.log(_RARER), np.log((1 - _RARER * p0) / (1 - p0)))
        watched = ~blocks.gap & known & (p0 >= _RESTING)
        step = np.where(watched, step, 0.0)
        before = t["sum"][rows]
        doubt = (before > 0) | (step > 0)
        if not doubt.all():  # for the others the sum is zero and stays so
            some = np.flatnonzero(doubt)
            if some.size == 0:
                return []
            subjects, blocks, mute = subjects.take(some), blocks.take(some), mute[some]
            rows, p0, pause, watched = blocks.rows, p0[some], pause[some], watched[some]
            step, before = step[some], before[some]
        limit = s.intermittent_evidence
        active, onset = self.episodes.active(rows), self.episodes.onset_us(rows)
        # what is told already is no evidence: else the end of one leak would be the beginning of another alert
        total = np.where(mute & ~active, 0.0, clip(before + step, 0.0, _CAP * limit))
        start = np.where((before <= 0) & (total > 0), blocks.start_us, t["start_us"][rows])
        running = total > 0
        hours = t["hours"][rows] + blocks.hours
        litres = t["litres"][rows] + blocks.litres
        # of the watched hours: how many, pauses among them, pauses by habit, and the evidence of those that ran
        number_watched = t["watched"][rows] + watched
        pauses = t["pauses"][rows] + (pause & watched)
        usual = t["usual"][rows] + p0 * watched
        for_leak = t["running"][rows] + np.where(pause, 0.0, step)
        seen, number = self.seen.add(rows, blocks.seen_hours, blocks.readings, before <= 0)
        bad = (total > limit) & ~mute & (hours >= 24) & (pauses <= _AT_MOST * usual)
        severity = np.ones(len(rows), np.int8)
        changes = self.episodes.step(rows, blocks.end_us, bad, total <= 0, start, severity)
        out: list[Condition] = []
        if changes:

            def evidence(i: int) -> Evidence:
                window_us = float(blocks.end_us[i] - start[i])
                h, w = max(float(hours[i]), 1e-9), max(float(number_watched[i]), 1.0)
                most = (float(for_leak[i]) - limit) / -np.log(_RARER)
                most = min(most, _AT_MOST * float(usual[i]))
                return Evidence(
                    "consumption_litres", "%", round(100 * float(pauses[i]) / w, 2),
                    round(100 * most / w, 2), round(100 * float(usual[i]) / w, 2),
                    window_us / 1e6, int(number[i]), missing_share(float(seen[i]), window_us),
                    {
                        "pause_share_1": round(float(pauses[i]) / w, 4),
                        "usual_pause_share_1": round(float(usual[i]) / w, 4),
                        "watched_h": float(number_watched[i]),
                        "pause_litres_per_h": s.intermittent_litres_per_h,
                        "evidence_1": round(float(total[i]), 2),
                        "evidence_limit_1": limit,
                        "litres_per_day": round(24 * float(litres[i]) / h, 1),
                        "litres_so_far": round(float(litres[i]), 1),
                    },
                )  # fmt: skip

            out = emit(
                self.rule, subjects, changes, blocks.end_us, np.where(active, onset, start),
                severity, 1.0 - 0.5 * limit / np.maximum(total, limit), evidence,
            )  # fmt: skip
        self.seen.forget(rows[~running])
        for name, value in (
            ("sum", total), ("start_us", np.where(running, start, NEVER)), ("hours", hours),
            ("litres", litres), ("watched", number_watched), ("pauses", pauses), ("usual", usual),
            ("running", for_leak),
        ):  # fmt: skip
            t[name][rows] = value if name in ("sum", "start_us") else np.where(running, value, 0)
        return out

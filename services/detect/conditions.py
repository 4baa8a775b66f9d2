"""Hysteresis: from 'it looks bad' and 'it looks good again' to one raise, updates and one clear for each episode.

On-delay, off-delay, deadband (bad and good are two different questions) and re-arm, in event time, for many sensors
at once. It refuses to look at measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.condition import Severity

SEVERITIES: Final = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
"""Severity by its rank, as the arrays hold it."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """Positions (indices into the rows of the step) whose condition changed."""

    raised: Rows
    updated: Rows
    cleared: Rows
    worsened: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    """Of those that are on and did not change otherwise; a detector may add them."""

    def __bool__(self) -> bool:
        return bool(
            self.raised.size or self.updated.size or self.cleared.size or self.worsened.size
        )


_NONE: Final = np.empty(0, np.intp)
_NOTHING: Final = Transitions(_NONE, _NONE, _NONE)


class Episodes:
    """On or off, for one rule, of each sensor.

    Args:
        on_delay_us: how long it must look bad without a break before it is raised.
        off_delay_us: how long it must look good without a break before it is cleared.
        rearm_us: how long after a clear nothing new is raised.
    """

    def __init__(self, on_delay_us: int = 0, off_delay_us: int = 0, rearm_us: int = 0) -> None:
        self.on_delay_us, self.off_delay_us, self.rearm_us = on_delay_us, off_delay_us, rearm_us
        self.table = Table(
            {
                "active": Field("?"),
                "severity": Field("i1"),
                "since_us": Field("i8", NEVER),
                "onset_us": Field("i8", NEVER),
                "cleared_us": Field("i8", NEVER),
            }
        )

    def active(self, rows: Rows) -> Array:
        """(n,) bool, whether the condition is on."""
        return self.table["active"][rows]

    def onset_us(self, rows: Rows) -> Array:
        """(n,) int64, when the episode began in the data; NEVER where none is on."""
        return self.table["onset_us"][rows]

    def severity(self, rows: Rows) -> Array:
        """(n,) rank of the episode, the last one's where none is on."""
        return self.table["severity"][rows]

    def rest(self, rows: Rows) -> None:
        """A look at `rows` that are off and do not look bad: as `step`, which would change nothing else."""
        self.table["since_us"][rows] = NEVER

    def step(
        self,
        rows: Rows,
        at_us: Array,
        bad: Array,
        good: Array,
        onset_us: Array,
        severity: Array,
    ) -> Transitions:
        """Take one look at each of `rows` (distinct).

        Args:
            at_us: (n,) event time of the look.
            bad: (n,) bool, crosses the limit that raises.
            good: (n,) bool, is back behind the limit that clears; between both the state stays.
            onset_us: (n,) when the present bad spell began in the data; kept from the raise on.
            severity: (n,) rank, 0 to 2; rises within an episode, never falls.
        """
        t = self.table
        active = t["active"][rows]
        busy = np.flatnonzero(active | bad)
        if busy.size < len(rows):  # most are off and look well
            t["since_us"][rows] = np.where(active | bad, t["since_us"][rows], NEVER)
            if busy.size == 0:
                return _NOTHING
            some = self._busy(
                rows[busy], at_us[busy], bad[busy], good[busy], onset_us[busy], severity[busy]
            )
            return Transitions(busy[some.raised], busy[some.updated], busy[some.cleared])
        return self._busy(rows, at_us, bad, good, onset_us, severity)

    def begun(self, rows: Rows, since_us: Array) -> None:
        """Tell of `rows`, which the next look finds bad, that they have been so since (n,) since_us, if no look has."""
        t = self.table
        since = t["since_us"][rows]
        fresh = ~t["active"][rows] & (since == NEVER)
        t["since_us"][rows] = np.where(fresh, since_us, since)

    def _busy(
        self, rows: Rows, at_us: Array, bad: Array, good: Array, onset_us: Array, severity: Array
    ) -> Transitions:
        t = self.table
        active = t["active"][rows]
        towards = np.where(active, good, bad)
        since = t["since_us"][rows]
        since = np.where(towards, np.where(since == NEVER, at_us, since), NEVER)
        waited = np.where(since == NEVER, -1, at_us - np.where(since == NEVER, 0, since))
        cleared_us = t["cleared_us"][rows]
        armed = (cleared_us == NEVER) | (
            at_us - np.where(cleared_us == NEVER, 0, cleared_us) >= self.rearm_us
        )
        raised = ~active & (waited >= self.on_delay_us) & armed
        cleared = active & (waited >= self.off_delay_us)
        severity = severity.astype(np.int8)
        old = t["severity"][rows]
        updated = active & ~cleared & bad & (severity > old)
        changed = raised | cleared
        t["since_us"][rows] = np.where(changed, NEVER, since)
        if changed.any() or updated.any():
            t["active"][rows] = (active | raised) & ~cleared
            t["onset_us"][rows] = np.where(raised, onset_us, t["onset_us"][rows])
            t["cleared_us"][rows] = np.where(cleared, at_us, cleared_us)
            t["severity"][rows] = np.where(raised | updated, severity, old)
        return Transitions(np.flatnonzero(raised), np.flatnonzero(updated), np.flatnonzero(cleared))

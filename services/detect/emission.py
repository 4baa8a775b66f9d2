"""Turns the few rows whose condition changed into conditions with their numbers. It refuses to decide anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.detect.conditions import SEVERITIES, Transitions
from services.detect.table import Array
from services.domain.condition import Change, Condition, Evidence, Rule


@dataclass(frozen=True, slots=True)
class Subjects:
    """Ids of the sensors behind the positions of a step, looked up only for those that are spoken of."""

    ids: Sequence[str]
    rows: Array

    def __getitem__(self, position: int) -> str:
        return self.ids[int(self.rows[position])]

    def take(self, positions: Array) -> Subjects:
        """The subjects at the chosen positions."""
        return Subjects(self.ids, self.rows[positions])


def emit(
    rule: Rule,
    subjects: Subjects,
    changes: Transitions,
    at_us: Array,
    onset_us: Array,
    severity: Array,
    score: Array,
    evidence: Callable[[int], Evidence],
) -> list[Condition]:
    """The conditions of one look at n rows.

    Args:
        subjects: (n,) ids of the sensors.
        onset_us: (n,) begin of the episode (for clears: of the one that ends).
        severity: (n,) rank 0 to 2; score (n,) 0..1.
        evidence: the numbers of the row at a position.
    """
    return [
        Condition(
            rule,
            subjects[i],
            change,
            int(onset_us[i]),
            int(at_us[i]),
            SEVERITIES[int(severity[i])],
            round(float(min(max(score[i], 0.0), 1.0)), 4),
            evidence(i),
        )
        for change, positions in (
            (Change.RAISE, changes.raised),
            (Change.UPDATE, changes.updated),
            (Change.WORSEN, changes.worsened),
            (Change.CLEAR, changes.cleared),
        )
        for i in positions.tolist()
    ]

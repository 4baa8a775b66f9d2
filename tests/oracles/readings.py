"""The slow, plain version of the readings' store: a dict of dicts, one reading at a time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.quality import Quality

Key = tuple[int, int]
Row = tuple[int, int, int, dict[str, float]]
"""sensor, observed_us, quality, the metrics that have a value"""


@dataclass
class Outcome:
    inserted: int = 0
    merged: int = 0
    duplicate: int = 0
    conflicting: int = 0
    late: int = 0
    revised: int = 0
    accepted: list[Row] = field(default_factory=list)


@dataclass
class Stored:
    quality: int
    metrics: dict[str, float]


class DictStore:
    """What is stored, by (sensor, observed_us). With `revises` a later value wins, and what it replaced is noted."""

    def __init__(self, *, revises: bool = False) -> None:
        self.rows: dict[Key, Stored] = {}
        self.revises = revises
        self.replaced: list[tuple[int, int, str, float, int]] = []
        """sensor, observed_us, metric, value, quality of the row at that time"""

    def write(self, rows: Iterable[Row]) -> Outcome:
        outcome = Outcome()
        for sensor, observed_us, said, metrics in rows:
            quality = said
            key = (sensor, observed_us)
            stored = self.rows.get(key)
            if stored is None:
                self.rows[key] = Stored(quality, dict(metrics))
                outcome.inserted += 1
                brought = metrics
            elif self.revises:
                replaced = {
                    name: stored.metrics[name]
                    for name, value in metrics.items()
                    if stored.metrics.get(name, value) != value
                }
                brought = {
                    name: value
                    for name, value in metrics.items()
                    if name not in stored.metrics or name in replaced
                }
                if not brought:
                    outcome.duplicate += 1
                    continue
                for name, value in replaced.items():
                    self.replaced.append((*key, name, value, stored.quality))
                if replaced:
                    outcome.revised += 1
                    whole = len(replaced) == len(stored.metrics)
                    quality |= Quality.REVISED | (0 if whole else stored.quality)
                else:
                    outcome.merged += 1
                    quality |= stored.quality
                stored.metrics |= brought
                stored.quality = quality
            else:
                brought = {
                    name: value for name, value in metrics.items() if name not in stored.metrics
                }
                outcome.conflicting += any(
                    stored.metrics.get(name, value) != value for name, value in metrics.items()
                )
                if brought:
                    stored.metrics |= brought
                    stored.quality |= quality
                    outcome.merged += 1
                else:
                    outcome.duplicate += 1
                    continue
            outcome.late += bool(quality & Quality.LATE)
            outcome.accepted.append((sensor, observed_us, quality, dict(brought)))
        return outcome


def batch_of(domain: Domain, rows: Iterable[Row]) -> ReadingBatch:
    """Rows as columns; every metric of the domain that any row has."""
    rows = list(rows)
    names = [
        metric.column
        for metric in CATALOGUE[domain].metrics
        if any(metric.column in metrics for *_, metrics in rows)
    ]
    return ReadingBatch(
        domain,
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[1] + 1_000_003 for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int16),
        {
            name: np.array([row[3].get(name, math.nan) for row in rows], np.float64)
            for name in names
        },
    )


def rows_of(batch: ReadingBatch) -> list[Row]:
    """Columns as rows, in order."""
    return [
        (
            int(batch.sensor[i]),
            int(batch.observed_us[i]),
            int(batch.quality[i]),
            {name: float(v[i]) for name, v in batch.metrics.items() if not math.isnan(v[i])},
        )
        for i in range(len(batch))
    ]

"""Readings of a batch that say again what the batch has said: same sensor, same time, no metric that was missing.

A sender that repeats itself a million times would else cost a million rounds. Neighbours are compared first, which
costs little; only a batch with many readings for each sensor is sorted. It refuses to look beyond its batch: what came
in an earlier one is settled by the windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.detect.table import Array, Rows

_MANY: Final = 4
"""Readings for each sensor of the core beyond which a batch is sorted."""


def without_repeats(
    chosen: Rows, sensor: Array, at_us: Array, metrics: Mapping[str, Array], sensors: int
) -> Rows:
    """The positions of `chosen` that are no repeats, in their order.

    Args:
        chosen: (n,) positions in the batch; sensor, at_us: (n,) who speaks there, and of when.
        metrics: (batch,) each, NaN missing; sensors: how many the core has.
    """
    again = np.zeros(len(chosen), np.bool_)
    again[1:] = (sensor[1:] == sensor[:-1]) & (at_us[1:] == at_us[:-1])
    if again.any():
        here = np.flatnonzero(again)
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(chosen))))[here]
        keep = np.ones(len(chosen), np.bool_)
        keep[here[_adds_nothing(metrics, chosen[first], chosen[here])]] = False
        chosen, sensor, at_us = chosen[keep], sensor[keep], at_us[keep]
    if len(chosen) <= _MANY * sensors:
        return chosen
    order = np.lexsort((at_us, sensor))
    fresh = np.ones(len(order), np.bool_)
    s, t = sensor[order], at_us[order]
    fresh[1:] = (s[1:] != s[:-1]) | (t[1:] != t[:-1])
    first = order[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))]
    dull = order[~fresh & _adds_nothing(metrics, chosen[first], chosen[order])]
    keep = np.ones(len(chosen), np.bool_)
    keep[dull] = False
    return chosen[keep]


def _adds_nothing(metrics: Mapping[str, Array], first: Rows, later: Rows) -> Array:
    """(n,) bool: every metric of the later reading was there in the first."""
    dull = np.ones(len(later), np.bool_)
    for column in metrics.values():
        missing = np.isnan(column)
        dull &= missing[later] | ~missing[first]
    return dull

"""What every alert of a zone says of its leak: rate, litres so far, and how sure it is; told anew once a day.

It refuses to decide anything.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.conditions import Transitions
from services.detect.table import Array
from services.domain.instant import DAY_US

_DOUBT: Final = 0.6
"""Pressures in full accord take away so much of the doubt."""
_FURTHER: Final = 0.03
_LEAP: Final = 0.1
_OF_KNOWN: Final = 0.15
_QUIET_US: Final = 2 * DAY_US
"""A rise is told from 3 % of the level and 15 % of the leak on, after two days of rest; from 10 % at any time."""


def loss(rate: float, litres: float, sure: float) -> dict[str, float]:
    """Figures of a leak of `rate` L/h that has lost `litres` so far, for evidence."""
    return {
        "leak_litres_per_h": round(float(rate), 1),
        "litres_per_day": round(float(max(rate, 0.0) * 24), 1),
        "litres_so_far": round(float(max(litres, 0.0)), 1),
        "confidence_1": round(float(min(max(sure, 0.0), 1.0)), 3),
    }


def confidence(crossing: Array, accord: Array) -> Array:
    """(n,) 0.5 to 1: (n,) sum over its limit, and (n,) accord of the pressures, 0 to 1."""
    doubt: Array = 0.5 / np.maximum(crossing, 1.0) * (1.0 - _DOUBT * accord)
    return 1.0 - doubt


def one_more(rise: Array, leak: Array, level: Array, quiet_us: Array) -> Array:
    """(n,) bool: a rise on top of a leak is another leak, or a leap of the first, and no slow growth of it.

    Args:
        rise, leak, level: (n,) L/h: what came on top, the leak until then, and what enters as a rule.
        quiet_us: (n,) how long the leak had stood still before it rose.
    """
    large = (rise >= _FURTHER * level) & (rise >= _OF_KNOWN * leak)
    found: Array = large & ((quiet_us >= _QUIET_US) | (rise >= _LEAP * level))
    return found


def told_daily(changes: Transitions, active: Array, onset_us: Array, end_us: Array) -> Transitions:
    """The changes, with an update of those that go on where the hour that ends at `end_us` ends a day of the spell.

    Args:
        active: (n,) bool, on before this look; onset_us: (n,) its begin.
        end_us: (n,) end of the hour, or of the day where the rule looks once a day.
    """
    going = active & ((end_us - np.where(active, onset_us, 0)) % DAY_US == 0)
    going[changes.cleared] = False
    going[changes.updated] = True
    return Transitions(changes.raised, np.flatnonzero(going), changes.cleared)

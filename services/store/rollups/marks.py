"""The hours that a keeper knows to be marked, so that it does not mark them again: a cache of rollup_dirty, never more.

It may forget what is marked, which costs a statement; it refuses to claim a mark that is not there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.instant import HOUR_US

Keys = NDArray[np.int64]
MOST: Final = 1_000_000
"""Hours of a domain that are known at once, 8 bytes each: years of history that arrive are a hundred times more."""


def keys_of(sensor: NDArray[np.int32], hour_us: NDArray[np.int64]) -> Keys:
    """(n,) one number for each sensor and the hour since 1970 that holds its time."""
    return sensor.astype(np.int64) << 32 | hour_us // HOUR_US


def of_keys(keys: Keys) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(n,) sensors, and (n,) the beginnings of the hours."""
    return (keys >> 32).astype(np.int32), (keys & (2**32 - 1)) * HOUR_US


class Marks:
    """Keys of marked hours by domain, sorted; so many of each, at most."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[Domain, Keys] = {domain: np.empty(0, np.int64) for domain in Domain}

    def new(self, domain: Domain, keys: Keys) -> Keys:
        """Those of the keys that are not known to be marked."""
        return keys[~_among(keys, self._known[domain])]

    def add(self, domain: Domain, keys: Keys) -> None:
        """They are marked, or need not be: their sensors are not rolled up so far back."""
        known = np.union1d(self._known[domain], keys)
        self._known[domain] = known if len(known) <= self._most else np.empty(0, np.int64)

    def remove(self, domain: Domain, keys: Keys) -> None:
        """They are rolled up, and marked no more."""
        known = self._known[domain]
        self._known[domain] = known[~_among(known, np.unique(keys))]

    def forget(self, domain: Domain, sensors: NDArray[np.int32]) -> None:
        """These sensors are rolled up further back than before: what need not be marked then must be from now on."""
        known = self._known[domain]
        self._known[domain] = known[~_among(known >> 32, np.unique(sensors).astype(np.int64))]


def _among(keys: Keys, ordered: Keys) -> NDArray[np.bool_]:
    """(n,) which of the keys are among the ordered ones, of which each is there once. Sorts nothing."""
    if not len(ordered):
        return np.zeros(len(keys), np.bool_)
    place = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[place] == keys
    return found

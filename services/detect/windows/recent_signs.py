"""Of the last five looks, which showed a sign: bits, the newest lowest. It refuses to know what the sign was."""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import Array, Rows

_LOOKS: Final = 0x1F
_BITS: Final = np.array([i.bit_count() for i in range(32)], np.int8)


def recent(kept: Array, rows: Rows, gap: Array, sign: Array) -> Array:
    """(n,) the bits of `rows` with this look's `sign` (n,); `kept` (rows,) uint8 is moved on, emptied at a `gap`."""
    bits = np.where(gap, 0, kept[rows] << 1).astype(np.uint8) & _LOOKS
    bits |= sign.astype(np.uint8)
    kept[rows] = bits
    return bits


def enough(history: Array, mask: int, needed: Array | int) -> Array:
    """(n,) bool, at least `needed` of the looks in `mask` showed the sign."""
    return np.asarray(_BITS[history & mask] >= needed)

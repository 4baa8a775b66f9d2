"""How much one transaction may do so that it takes about a fifth of a second, on a slow machine too.

The readers of the feed wait for whoever writes. It refuses to look at the clock: who works says how long it took.
"""

from __future__ import annotations

from typing import Final

_AIM_S: Final = 0.2
_CHANGE: Final = 2.0


class Pace:
    """An amount of work between two bounds, learned from how long it took."""

    def __init__(self, first: float, least: float, most: float) -> None:
        self.amount = first
        self._least, self._most = least, most

    def took(self, amount: float, seconds: float) -> None:
        """So much took so long. A little says nothing of more, unless it was slow."""
        change = min(max(_AIM_S / max(seconds, 1e-6), 1 / _CHANGE), _CHANGE)
        if change < 1.0 or amount > self.amount / 2:
            self.amount = min(max(self.amount * change, self._least), self._most)

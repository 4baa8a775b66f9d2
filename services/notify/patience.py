"""When to leave a channel alone: after a few failures in a row it is away, and is asked again once in a while.

What waits for it keeps its attempts, and the log is not filled by each. It refuses to judge one message that alone is
never taken: others go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FAILURES: Final = 3
"""In a row, after which a channel counts as away."""
_LONGEST_S: Final = 60.0


@dataclass(slots=True)
class Patience:
    """What the last attempts at one channel have come to."""

    failures: int = 0

    @property
    def away(self) -> bool:
        """Whether the channel counts as away."""
        return self.failures >= FAILURES

    def took(self) -> None:
        """The channel has taken a message."""
        self.failures = 0

    def refused(self) -> None:
        """It has not."""
        self.failures += 1

    def pause_s(self, first_s: float, longest_s: float, chance: float) -> float:
        """Seconds to leave it alone: 0 while it is not away, then doubled from `first_s` to `longest_s` or a minute.

        Args:
            chance: 0..1, takes up to half of it away, so that several notifiers do not ask at one moment.
        """
        if not self.away:
            return 0.0
        doubled = first_s * 2.0 ** min(self.failures - FAILURES, 40)
        return min(doubled, longest_s, _LONGEST_S) * (0.5 + 0.5 * chance)

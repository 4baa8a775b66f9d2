"""How busy the stream is: between 0 (idle, write at once) and 1 (wait for a batch to fill)."""

from __future__ import annotations

import time
from typing import Final

_BUSY_MESSAGES_PER_S: Final = 50_000.0
_BUSY_BYTES_PER_S: Final = 10e6
_NEW: Final = 0.3


class Pace:
    """An average over the last batches.

    Attributes:
        load: what share of the longest wait a batch is given to fill.
    """

    def __init__(self) -> None:
        self.load = 0.0
        self._last = time.monotonic()

    def note(self, messages: int, payload_bytes: int) -> None:
        """A batch was written."""
        now = time.monotonic()
        since, self._last = max(now - self._last, 1e-4), now
        busy = max(
            messages / since / _BUSY_MESSAGES_PER_S, payload_bytes / since / _BUSY_BYTES_PER_S
        )
        self.load += _NEW * (min(1.0, busy) - self.load)

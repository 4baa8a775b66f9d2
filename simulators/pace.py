"""How virtual time follows the wall clock: at a speed, never ahead of now, or without waiting at all."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_us() -> int:
    """Microseconds since 1970 of this machine's clock."""
    return time.time_ns() // 1000


class Pace:
    """Virtual time from the first question on. `speed` None means: as fast as it goes."""

    def __init__(
        self,
        speed: float | None,
        start_us: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = wall_us,
        into_future: bool = False,
    ) -> None:
        """`into_future` allows virtual time to run ahead of the wall clock's, which ingest rejects."""
        self._speed, self._start_us = speed, start_us
        self._clock, self._wall = clock, wall
        self._into_future = into_future
        self._begun: float | None = None

    def wait_s(self, due_us: int) -> float:
        """Seconds to wait until virtual time has reached `due_us`; 0 when it has."""
        ahead_s = 0.0 if self._into_future else (due_us - self._wall()) / 1e6
        if self._speed is None:
            return max(ahead_s, 0.0)
        now = self._clock()
        if self._begun is None:
            self._begun = now
        virtual_s = (due_us - self._start_us) / 1e6
        return max(virtual_s / self._speed - (now - self._begun), ahead_s, 0.0)

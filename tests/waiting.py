"""Waits until something has become true, with a deadline; it never sleeps a fixed time.

A test that waits says what it waits for. When the deadline passes, the test fails with that
sentence instead of going on with half a state.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 120.0
"""How long anything may take that takes a moment on a quiet machine. The machine that judges may be slow, and busy."""
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class DeadlinePassed(AssertionError):
    """What was waited for did not happen in time."""

    def __init__(self, what: str, timeout: float, last: object) -> None:
        super().__init__(f"waited {timeout:g} s in vain for {what}; the last answer was {last!r}")
        self.what = what
        self.timeout = timeout
        self.last = last


def wait_until(predicate: Callable[[], T], timeout: float = PATIENCE_S, what: str = "") -> T:
    """Return the predicate's first true answer; raise DeadlinePassed after `timeout` seconds.

    The predicate is asked again with growing pauses (2 ms to 50 ms). An exception from it is the
    caller's business: it is not swallowed.
    """
    never = threading.Event()
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        answer = predicate()
        if answer:
            return answer
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed(what or getattr(predicate, "__name__", "it"), timeout, answer)
        never.wait(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)

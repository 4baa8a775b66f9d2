"""Lets a thread that waits for the database do something small meanwhile, without a second thread.

The driver's waiting function wakes its protocol generator several times a second with "nothing yet"; this stands in
between and uses those moments. It refuses to touch the database itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from psycopg.abc import PQGen

from services.store.connection import Connection

T = TypeVar("T")


def attend(conn: Connection, meanwhile: Callable[[], None]) -> None:
    """From now on `meanwhile` is called about ten times a second while this connection waits for an answer."""
    original = conn.wait

    def wait(gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        return original(_attended(gen, meanwhile), *args, **kwargs)

    conn.wait = wait  # type: ignore[method-assign]


def _attended(gen: PQGen[T], meanwhile: Callable[[], None]) -> PQGen[T]:
    try:
        state = next(gen)
        while True:
            ready = yield state
            if not ready:
                meanwhile()
            state = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result

"""How far the log of alerts has come, for all who ask at a time: one statement answers all who came before it began.

So whoever asks sees everything that was committed before, by any process, and a thousand who ask at once cost hardly
more than one. It refuses to answer from memory.
"""

from __future__ import annotations

import asyncio

from services.store.alerting.alert_statements import LAST_POSITION
from services.store.asking import Asker


class NewestEvent:
    """The position of the newest event; for one event loop."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._under_way: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def position(self) -> int:
        """The position of the newest event that was committed before this call, or of a later one; 0 without any.

        Raises:
            DatabaseUnavailable: the database does not answer in time.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._under_way))
        return await asyncio.shield(self._next)

    async def _after(self, earlier: asyncio.Task[int] | None) -> int:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        # from here on nobody joins this question: who comes now may know of events that it does not see
        self._under_way, self._next = self._next, None
        [(position,)] = await self._asker.rows(LAST_POSITION)
        return int(position)

"""Raw readings as a table: one page, or a whole range page after page.

A range holds no connection while its client reads: each page borrows one and gives it back. It refuses ranges that may
hold more readings than one answer should; an export takes those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from services.api.database import Database
from services.api.history.forms.table import Block, Column, ColumnKind
from services.api.history.reading_parameters import Extra, Wanted
from services.api.history.reading_question import Question
from services.domain.errors import InvalidInput
from services.store.connection import Connection
from services.store.past import oldest_time
from services.store.query.history import History, ReadingPage

BLOCK_ROWS: Final = 20_000
_USUAL_CADENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RawTable:
    """How readings of a question become blocks.

    Attributes:
        quality: good leaves doubtful readings out.
        extras: further columns.
        with_ids: whether the column `sensor_id` is there.
    """

    asked: Question
    quality: Wanted
    extras: frozenset[Extra]
    with_ids: bool

    def columns(self) -> list[Column]:
        """What every block holds."""
        columns = [Column("time", ColumnKind.TIME)]
        if self.with_ids:
            columns.append(Column("sensor_id", ColumnKind.WORD))
        columns += [*self.asked.metric_columns(), Column("quality", ColumnKind.INTEGER)]
        return columns + [
            Column(each.value, ColumnKind.TIME) for each in Extra if each in self.extras
        ]

    def page(
        self, connection: Connection, limit: int, after: str | None
    ) -> tuple[Block, str | None]:
        """One page and the cursor of the next."""
        asked = self.asked
        page = History(connection).raw(
            asked.domain,
            asked.numbers.tolist(),
            asked.start,
            asked.end,
            limit=limit,
            metrics=asked.names,
            after=after,
            stamps=bool(self.extras),
        )
        return self._block(page), page.next

    def blocks(self, database: Database) -> Iterator[Block]:
        """The whole range, in the order of (time, sensor), a page at a time."""
        after: str | None = None
        while True:
            with database.connection() as connection:
                block, after = self.page(connection, BLOCK_ROWS, after)
            yield block
            if after is None:
                return

    def _block(self, page: ReadingPage) -> Block:
        batch, stored_us = page.batch, page.stored_us
        if self.quality is Wanted.GOOD:
            good = (batch.quality & int(self.quality.excluded)) == 0
            batch, stored_us = batch.take(good), stored_us[good]
        block: dict[str, object] = {"time": batch.observed_us}
        if self.with_ids:
            block["sensor_id"] = self.asked.ids(batch.sensor)
        block |= {name: batch.metrics[name] for name in self.asked.names}
        block["quality"] = batch.quality
        if Extra.RECEIVED_AT in self.extras:
            block["received_at"] = batch.received_us
        if Extra.STORED_AT in self.extras:
            block["stored_at"] = stored_us
        return block  # type: ignore[return-value]


def refuse_too_many(connection: Connection, asked: Question, most: int) -> None:
    """Raise InvalidInput when the range may hold more than `most` readings, going by the sensors' cadences."""
    oldest = oldest_time(connection)
    start: datetime = max(asked.start, oldest) if oldest else asked.start
    seconds = max((asked.end - start).total_seconds(), 0.0)
    cadences = np.array([each.sensor.cadence_s or _USUAL_CADENCE_S for each in asked.sensors])
    expected = float((seconds / cadences).sum())
    if expected > most:
        raise InvalidInput(
            "start",
            asked.start.isoformat(),
            f"this range may hold {expected:,.0f} readings, more than the {most:,} of one answer: ask for a shorter "
            "range, fewer sensors or buckets, give a limit and follow the pages, or make an export (POST /v1/exports)",
        )

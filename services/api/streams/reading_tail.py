"""Follows the feed of stored readings while somebody listens, and hands each batch's readings to those who want them.

It refuses to follow when nobody listens, and to keep more of a batch than was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from services.api.encoding import column, encoded
from services.api.history.forms.table import ColumnKind, Words
from services.api.history.forms.text import TimeForm, array
from services.api.metrics import ApiMetrics
from services.api.settings import ApiSettings
from services.api.streams.live import RESET, Frame, Gap, Key, Missed, Tail
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.store import feed
from services.store.connection import Connection, connect, listen, wait
from services.store.feed import CHANNEL, FeedReader, FeedRow, Position, horizon
from services.store.query import sensor_sets

_AT_ONCE: Final = 20_000
"""Readings of one look."""
_MOST_IDS: Final = 500_000
_READY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ReadingWants:
    """Which readings; None: any.

    Attributes:
        numbers: (s,) sensor numbers, rising.
        names: metric columns.
    """

    domain: Domain | None = None
    numbers: NDArray[np.int32] | None = None
    names: frozenset[str] | None = None

    def of(self, batch: ReadingBatch) -> ReadingBatch | None:
        """The part of a batch that is wanted; None when there is none."""
        if self.domain not in {None, batch.domain}:
            return None
        rows = np.ones(len(batch), np.bool_)
        if self.numbers is not None:
            rows &= np.isin(batch.sensor, self.numbers)
        if self.names is not None:
            there = np.zeros(len(batch), np.bool_)
            for name in self.names & set(batch.metrics):
                there |= ~np.isnan(batch.metrics[name])
            rows &= there
        if not rows.any():
            return None
        return batch if rows.all() else batch.take(rows)


class ReadingTail(Tail[ReadingWants]):
    """The thread that follows the feed."""

    name = "reading-tail"

    def __init__(self, url: str, settings: ApiSettings, metrics: ApiMetrics) -> None:
        super().__init__(url, settings, metrics)
        self._wake, self._following = threading.Event(), threading.Event()
        self._ids: dict[int, str] = {}

    def woken(self) -> None:
        """Somebody listens."""
        self._wake.set()

    async def ready(self) -> None:
        """Wait until the thread follows; not for ever, the database may be away."""
        await run_in_threadpool(self._following.wait, _READY_S)

    def missed(self, connection: Connection, after: Key, wants: ReadingWants) -> Missed:
        """The next batches of the feed."""
        reader = FeedReader(connection, "citygauge-api-nobody")
        reader.seek(Position(*after))
        rows = reader.poll(_AT_ONCE)
        self._learn(connection, rows)
        frames = [frame for row in rows if (frame := self._frame(row, wants)) is not None]
        return Missed(frames, key_of(rows[-1].position) if rows else after, bool(rows))

    def gap(self, connection: Connection, after: Key) -> Frame | None:
        """The feed keeps some days; and the place may be of a database that this one is not."""
        lost = feed.lost(connection, Position(*after))
        if lost is None:
            return None
        place = key_of(horizon(connection)) if lost.ahead else after
        reason = Gap.RESTORED if lost.ahead else Gap.PRUNED
        data = encoded({"reason": reason, "kept_since": lost.kept_since})
        return Frame(place, ".".join(map(str, place)), RESET, data)

    def follow(self) -> None:
        """While somebody listens."""
        self._wake.wait()
        self._wake.clear()
        if self.stopping.is_set() or not self.listeners():
            return
        with connect(
            self.url,
            "citygauge-api-feed",
            autocommit=True,
            statement_timeout_s=self.settings.statement_timeout_s,
        ) as connection:
            listen(connection, CHANNEL)
            reader = FeedReader(connection, "citygauge-api-nobody")
            reader.seek(horizon(connection))
            self._following.set()
            try:
                while self.listeners() and not self.stopping.is_set():
                    while rows := reader.poll(_AT_ONCE):
                        self._pass_on(connection, rows)
                    wait(connection, CHANNEL, self.settings.stream_poll_s, self.stopping)
            finally:
                self._following.clear()
                self._wake.set()  # whoever came in between is not forgotten

    def _pass_on(self, connection: Connection, rows: list[FeedRow]) -> None:
        self._learn(connection, rows)
        given = []
        for listener in self.listeners():
            frames = [frame for row in rows if (frame := self._frame(row, listener.wants))]
            if frames:
                given.append((listener, frames))
        if given:
            self.hand_over(given)

    def _learn(self, connection: Connection, rows: list[FeedRow]) -> None:
        """Look up the ids of sensors that are not known yet."""
        if len(self._ids) > _MOST_IDS:
            self._ids.clear()
        seen = np.unique(np.concatenate([row.batch.sensor for row in rows])) if rows else ()
        unknown = [int(number) for number in seen if int(number) not in self._ids]
        if unknown:
            self._ids.update(sensor_sets.ids_of(connection, np.array(unknown, np.int32)))

    def _frame(self, row: FeedRow, wants: ReadingWants) -> Frame | None:
        batch = wants.of(row.batch)
        if batch is None:
            return None
        place = key_of(row.position)
        data = encoded(document(batch, self._ids, wants.names))
        return Frame(place, ".".join(map(str, place)), "readings", data)


def document(
    batch: ReadingBatch, ids: Mapping[int, str], names: frozenset[str] | None
) -> dict[str, object]:
    """A batch as it is sent: by columns; metrics that no reading has are left out."""
    numbers, codes = np.unique(batch.sensor, return_inverse=True)
    texts = [ids.get(int(number), "?") for number in numbers]
    columns: dict[str, object] = {
        "time": array(ColumnKind.TIME, batch.observed_us, TimeForm.ISO),
        "sensor_id": array(ColumnKind.WORD, Words(codes.astype(np.int32), texts), TimeForm.ISO),
    }
    for name, values in batch.metrics.items():
        if (names is None or name in names) and not np.isnan(values).all():
            columns[name] = column(values)
    columns["quality"] = column(batch.quality)
    return {"domain": batch.domain, "columns": columns}


def key_of(position: Position) -> Key:
    """The position as a key."""
    return (position.epoch, position.xid, position.id)

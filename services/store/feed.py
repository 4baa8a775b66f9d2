"""The batch feed: what was newly stored, batch by batch, for consumers who must see all of it once and in one order.

Ids and times of rows say nothing about when they became visible: a transaction that began early may commit late.
So rows are read in the order of (transaction id, id) and only below the oldest transaction that is still open,
`xid < pg_snapshot_xmin(pg_current_snapshot())`: nothing can appear there any more. A transaction id means
something in its own cluster only; rows and positions carry the cluster's identity as `epoch`, and after a dump and
restore the rows of the old epoch are read to their end before those of the new one.

It refuses to be a queue: nothing is removed by reading; `prune` removes what is old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from services.domain.batch import ReadingBatch
from services.domain.errors import Conflict
from services.store import accounting
from services.store import feed_statements as statements
from services.store.accounting import Counts
from services.store.connection import Connection, transaction

CHANNEL: Final = statements.CHANNEL
"""Told at every append: a hint to poll."""
_LARGEST_POLL_ROWS: Final = 1_000
_LAST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the feed: every row of `epoch` with (xid, id) up to these is done, and all earlier epochs are.

    Attributes:
        epoch: identity of the cluster to which the transaction ids belong.
        xid: transaction id of the last row that was done.
        id: its id.
    """

    epoch: int
    xid: int
    id: int


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One committed batch, and the position of somebody who has done it."""

    position: Position
    batch: ReadingBatch

    @property
    def id(self) -> int:
        """The row's id."""
        return self.position.id

    @property
    def xid(self) -> int:
        """The id of the transaction that wrote it."""
        return self.position.xid


class Lag(NamedTuple):
    """How far a consumer is behind.

    Attributes:
        seconds: age of the oldest batch that it has not done; 0 when there is none.
        batches, readings: how many it has not done.
        oldest_transaction_s: age of the oldest open transaction that writes; the feed shows nothing newer than that.
    """

    seconds: float
    batches: int
    readings: int
    oldest_transaction_s: float


class Lost(NamedTuple):
    """Why a place of the feed cannot be resumed without a gap.

    Attributes:
        kept_since: when the oldest batch that is kept was written; None when none is.
        ahead: the place is later than the database itself, which was restored from a backup.
    """

    kept_since: datetime | None
    ahead: bool


def append(conn: Connection, batch: ReadingBatch) -> None:
    """Puts the newly stored rows into the feed, in the transaction that stores them, and tells the listeners.

    An empty batch leaves no trace.
    """
    if len(batch):
        conn.execute(statements.APPEND, (batch.domain.value, len(batch), batch.dumps()))


def append_and_account(
    conn: Connection, batches: Sequence[ReadingBatch], worker: str, counts: Counts
) -> None:
    """`append` of each batch in their order, and `accounting.add`; the last batch and the account in one statement."""
    batches = [batch for batch in batches if len(batch)]
    if not batches:
        accounting.add(conn, worker, counts)
        return
    for batch in batches[:-1]:
        append(conn, batch)
    last = batches[-1]
    row: dict[str, object] = {
        "domain": last.domain.value,
        "readings": len(last),
        "columns": last.dumps(),
    }
    conn.execute(statements.CLOSE, row | accounting.values(worker, counts))


def prune(conn: Connection, keep: timedelta, now: datetime, *, limit: int) -> int:
    """Removes at most `limit` batches older than `keep` that every known consumer has done; returns how many."""
    values = {"before": now - keep, "limit": limit}
    return int(_only(conn.execute(statements.PRUNE, values).fetchone()))


def lost(conn: Connection, position: Position) -> Lost | None:
    """What somebody who resumes after `position` will never see of the feed; None when nothing."""
    values = {"epoch": position.epoch, "xid": str(position.xid), "id": position.id}
    row = conn.execute(statements.LOST, values).fetchone()
    assert row is not None
    pruned, ahead, kept_since = row
    return Lost(kept_since, ahead) if pruned or ahead else None


def forget(conn: Connection, consumer: str) -> None:
    """Removes the stored position of a consumer that will not come back; the feed no longer waits for it."""
    conn.execute(statements.FORGET, (consumer,))


def horizon(conn: Connection) -> Position:
    """The position of somebody who has done everything that is committed now, and misses nothing later."""
    row = conn.execute(statements.HORIZON).fetchone()
    assert row is not None
    return Position(row[0], row[1], _LAST_ID)


def committed_position(conn: Connection, consumer: str) -> Position | None:
    """How far the consumer has come, as stored; None when it has never advanced."""
    row = conn.execute(statements.POSITION, (consumer,)).fetchone()
    return None if row is None else Position(*row)


class FeedReader:
    """Reads the feed for one named consumer.

    `poll` moves a cursor in memory; `advance` stores it, in the transaction that stores what the batches led to.
    After a rollback call `rewind`. Reading starts at the stored position, or at the oldest row that is kept.
    The reader's own connection should be in autocommit mode, so that polling leaves no transaction open.
    """

    def __init__(self, conn: Connection, consumer: str) -> None:
        self._conn = conn
        self.consumer = consumer
        self._stored = committed_position(conn, consumer)
        self._epoch = _only(conn.execute(statements.EPOCH).fetchone())
        self._position = self._stored or self._beginning()

    @property
    def position(self) -> Position:
        """The place up to which `poll` has returned rows."""
        return self._position

    @property
    def committed(self) -> Position | None:
        """The place that is stored, as far as this reader knows."""
        return self._stored

    def poll(self, max_readings: int) -> list[FeedRow]:
        """The next batches in order: at least one when there is one, then while their readings stay below the limit.

        Raises:
            CorruptBatch: a row is damaged; the position stays before it.
        """
        while True:
            closed = self._position.epoch != self._epoch
            rows = self._conn.execute(
                statements.POLL,
                {
                    "epoch": self._position.epoch,
                    "xid": str(self._position.xid),
                    "id": self._position.id,
                    "closed": closed,
                    "rows": _LARGEST_POLL_ROWS,
                    "readings": max_readings,
                },
            ).fetchall()
            if rows or not closed:
                break
            self._position = self._next_epoch()
        epoch = self._position.epoch
        found = [
            FeedRow(Position(epoch, xid, id_), ReadingBatch.loads(data)) for id_, xid, data in rows
        ]
        if found:
            self._position = found[-1].position
        return found

    def skip(self) -> Position:
        """Moves past the next batch without decoding it, where its bytes are damaged; returns the new position."""
        row = self._conn.execute(
            statements.POLL,
            {
                "epoch": self._position.epoch,
                "xid": str(self._position.xid),
                "id": self._position.id,
                "closed": self._position.epoch != self._epoch,
                "rows": 1,
                "readings": 1,
            },
        ).fetchone()
        if row is not None:
            self._position = Position(self._position.epoch, row[1], row[0])
        return self._position

    def advance(self, conn: Connection | None = None) -> None:
        """Stores the position, in the caller's transaction (on `conn`, where that is another connection).

        Raises:
            Conflict: somebody else advanced this consumer; roll back: what was done since is done twice.
        """
        if self._position == self._stored:
            return
        target, old = self._position, self._stored
        values = {
            "consumer": self.consumer,
            "epoch": target.epoch,
            "xid": str(target.xid),
            "id": target.id,
        }
        connection = conn or self._conn
        if old is None:
            done = connection.execute(statements.SAVE_FIRST, values).rowcount
        else:
            values |= {"old_epoch": old.epoch, "old_xid": str(old.xid), "old_id": old.id}
            done = connection.execute(statements.SAVE, values).rowcount
        if not done:
            now = committed_position(connection, self.consumer)
            raise Conflict(
                f"the feed position of {self.consumer}",
                old.id if old else 0,
                {"id": now.id, "xid": now.xid, "epoch": now.epoch} if now else {},
            )
        self._stored = target

    def seek(self, position: Position) -> None:
        """Goes on reading after `position`, in memory; `advance` would store it."""
        self._position = position

    def rewind(self) -> None:
        """Goes back to what is stored in the database, after a rollback."""
        self._stored = committed_position(self._conn, self.consumer)
        self._position = self._stored or self._beginning()

    def lag(self) -> Lag:
        """How far the consumer's reading is behind what is committed."""
        position = self._position
        known = position.id if position.id != _LAST_ID else 0
        row = self._conn.execute(
            statements.LAG,
            {
                "epoch": position.epoch,
                "xid": str(position.xid),
                "id": position.id,
                "known_id": known,
            },
        ).fetchone()
        assert row is not None
        return Lag(
            max(0.0, row[0]),
            row[1],
            row[2],
            _only(self._conn.execute(statements.OLDEST_OPEN).fetchone()),
        )

    def claim(self) -> bool:
        """Becomes the one reader of this consumer until the connection ends; False when there is another.

        The lock belongs to the reader's connection and outlives transactions.
        """
        with transaction(self._conn):
            return bool(_only(self._conn.execute(statements.CLAIM, (self.consumer,)).fetchone()))

    def release(self) -> None:
        """Gives up what `claim` took."""
        with transaction(self._conn):
            self._conn.execute(statements.RELEASE, (self.consumer,))

    def _beginning(self) -> Position:
        row = self._conn.execute(statements.FIRST_EPOCH).fetchone()
        return Position(self._epoch if row is None else row[0], 0, 0)

    def _next_epoch(self) -> Position:
        at = self._position
        known = at.id if at.id != _LAST_ID else 0
        row = self._conn.execute(statements.NEXT_EPOCH, {"epoch": at.epoch, "id": known}).fetchone()
        return Position(self._epoch if row is None else row[0], 0, 0)


def _only(row: Sequence[Any] | None) -> Any:
    assert row is not None, "the statement always returns a row"
    return row[0]

"""Connections to the database: named, in UTC, with time limits; it refuses to hide an outage behind driver errors.

Whatever the driver raises because the database is away, restarting, full, or chose this transaction as the
victim of a deadlock, leaves here as `DatabaseUnavailable`, an `Unavailable`: roll back, wait, try again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any, Final, LiteralString, Self, TypeAlias, TypeVar

import psycopg
from psycopg import errors, pq, sql
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row
from psycopg_pool import ConnectionPool

from services.domain.errors import Unavailable

T = TypeVar("T")
Connection: TypeAlias = psycopg.Connection[TupleRow]
"""What every repository takes; `connect` makes one, and any psycopg connection with tuple rows will do."""

IDLE_IN_TRANSACTION_S: Final = 60.0
"""An open transaction holds the batch feed back (its window ends at the oldest one), so idle ones are ended."""
CONNECT_TIMEOUT_S: Final = 10
_STOP_INTERVAL_S: Final = 0.2


class DatabaseUnavailable(Unavailable, psycopg.OperationalError):
    """The database does not answer, or this transaction must be tried again (deadlock, time limit, shutdown).

    It is a driver's error too, so that the driver's own clean-up after a lost connection keeps working.
    """

    def __init__(self, problem: str, sqlstate: str | None = None) -> None:
        super().__init__("database", problem)
        self.sqlstate = sqlstate

    @property
    def refused(self) -> bool:
        """Whether the server itself said no, so that nothing was committed; False: the answer may have been lost."""
        return self.sqlstate is not None and self.sqlstate[:2] not in {"08", "57"}


class CommitUnknown(DatabaseUnavailable):
    """The connection was lost in the middle of the commit: what was written may be there or not."""


_AWAY: Final = (
    psycopg.OperationalError,  # connection lost, deadlock, serialization, disk full, shutdown, time limits
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    psycopg.InterfaceError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's errors of an unavailable database into `DatabaseUnavailable`, the cause chained."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except _AWAY as error:
        text = str(error).strip() or type(error).__name__
        raise DatabaseUnavailable(text.splitlines()[0], error.sqlstate) from error


class BinaryCursor(psycopg.Cursor[TupleRow]):
    """A cursor whose results travel in PostgreSQL's binary format unless one asks otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.format = pq.Format.BINARY


class BinaryAsyncCursor(psycopg.AsyncCursor[TupleRow]):
    """The same for an event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.format = pq.Format.BINARY


class StoreConnection(psycopg.Connection[TupleRow]):
    """A connection whose every blocking call speaks the project's errors."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        with _translated_unless_timeout():
            return super().wait(gen, interval=interval, timeout=timeout)

    def _check_connection_ok(self) -> None:
        with translated():
            super()._check_connection_ok()


@contextmanager
def _translated_unless_timeout() -> Iterator[None]:
    """Like `translated`; the driver's private signal that a wait ran out (no error) passes through."""
    try:
        with translated():
            yield
    except DatabaseUnavailable as error:
        cause = error.__cause__
        if cause is not None and type(cause).__name__ == "_WaitTimeout":
            raise cause from None
        raise


def connect(
    url: str,
    name: str,
    *,
    autocommit: bool = False,
    statement_timeout_s: float | None = None,
    idle_in_transaction_s: float = IDLE_IN_TRANSACTION_S,
) -> Connection:
    """A connection in UTC with binary results.

    Args:
        url: PostgreSQL connection URL or string.
        name: who it is, seen as application_name ("citygauge-ingest").
        autocommit: for readers and listeners; a writer uses `with conn.transaction()` either way.
        statement_timeout_s: longest statement, seconds; None for no limit.
        idle_in_transaction_s: longest pause inside a transaction, seconds.

    Raises:
        DatabaseUnavailable: nobody answers, or the server refuses (wrong password, no such database, starting up).
    """
    with translated():
        return StoreConnection.connect(
            url,
            autocommit=autocommit,
            cursor_factory=BinaryCursor,
            row_factory=tuple_row,
            **_parameters(name, statement_timeout_s, idle_in_transaction_s),
        )


async def connect_async(
    url: str, name: str, statement_timeout_s: float
) -> psycopg.AsyncConnection[TupleRow]:
    """A connection in autocommit mode for an event loop, for a question that may not wait for a thread.

    Raises:
        DatabaseUnavailable: as `connect`; wrap what is asked in `translated`.
    """
    with translated():
        return await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            cursor_factory=BinaryAsyncCursor,
            row_factory=tuple_row,
            **_parameters(name, statement_timeout_s, IDLE_IN_TRANSACTION_S),
        )


class Pool(ConnectionPool[Connection]):
    """A pool of connections whose exhaustion is a `DatabaseUnavailable` too."""

    def getconn(self, timeout: float | None = None) -> Connection:
        with translated():
            return super().getconn(timeout)

    def __enter__(self) -> Self:
        return super().__enter__()


def pool(
    url: str,
    name: str,
    size: int,
    *,
    autocommit: bool = True,
    statement_timeout_s: float | None = None,
    timeout_s: float = 5.0,
) -> Pool:
    """A pool of at most `size` connections, opened in the background; close it, or use it in `with`.

    It starts without a database: `with pool.connection() as conn` raises DatabaseUnavailable after `timeout_s`.
    A connection is checked before it is handed out, so that a restarted database is noticed here.
    """
    return Pool(
        url,
        connection_class=StoreConnection,
        min_size=min(1, size),
        max_size=size,
        name=name,
        timeout=timeout_s,
        reconnect_timeout=30.0,
        check=ConnectionPool.check_connection,
        open=True,
        kwargs={
            "autocommit": autocommit,
            "cursor_factory": BinaryCursor,
            "row_factory": tuple_row,
            **_parameters(name, statement_timeout_s, IDLE_IN_TRANSACTION_S),
        },
    )


def _parameters(
    name: str, statement_timeout_s: float | None, idle_in_transaction_s: float
) -> dict[str, Any]:
    options = [
        "-c timezone=UTC",
        f"-c idle_in_transaction_session_timeout={round(idle_in_transaction_s * 1000)}",
    ]
    if statement_timeout_s is not None:
        options.append(f"-c statement_timeout={round(statement_timeout_s * 1000)}")
    return {
        "application_name": name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": " ".join(options),
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }


@contextmanager
def transaction(conn: Connection) -> Iterator[Connection]:
    """One transaction (a savepoint inside another), committed at the end or rolled back by an error."""
    with translated(), conn.transaction():
        yield conn


@contextmanager
def attempt(conn: Connection) -> Iterator[Connection]:
    """A savepoint inside a transaction, rolled back by an error; outside of one, a transaction of its own.

    It is not released where all goes well: that would be one more way to the server and back, and the end of the
    transaction does it anyway. For a few in one transaction.
    """
    if _status(conn) is not TransactionStatus.INTRANS:
        with transaction(conn):
            yield conn
        return
    with translated():
        conn.execute(SAVEPOINT)
        try:
            yield conn
        except psycopg.Error:
            if _status(conn) is TransactionStatus.INERROR:
                conn.execute(ROLLBACK_TO)
            raise


def _status(conn: Connection) -> TransactionStatus:
    return conn.info.transaction_status


SAVEPOINT: Final[LiteralString] = "SAVEPOINT attempt"
ROLLBACK_TO: Final[LiteralString] = "ROLLBACK TO SAVEPOINT attempt"
LISTEN: Final[LiteralString] = "LISTEN {channel}"


def listen(conn: Connection, channel: str) -> None:
    """Hears `channel` from now on. Call it before the first poll: what is told between poll and wait then counts.

    The connection must be in autocommit mode: inside a transaction nothing is heard.
    """
    conn.execute(sql.SQL(LISTEN).format(channel=sql.Identifier(channel)))


def wait(conn: Connection, channel: str, timeout: float, stop: Event) -> Sequence[str]:
    """Payloads told on `channel` since the last call; empty after `timeout` seconds or when `stop` is set.

    A notification is a hint only: whoever waits polls afterwards in any case. The connection must be in
    autocommit mode and should serve one channel.

    Raises:
        DatabaseUnavailable: the connection is lost.
    """
    if not conn.autocommit:
        raise ValueError("a connection that waits for notifications must be in autocommit mode")
    listen(conn, channel)
    deadline = time.monotonic() + timeout
    while not stop.is_set():
        left = deadline - time.monotonic()
        pause = max(0.0, min(left, _STOP_INTERVAL_S))
        with translated():
            heard = [
                n.payload
                for n in conn.notifies(timeout=pause, stop_after=1)
                if n.channel == channel
            ]
        if heard:
            return heard
        if left <= 0:
            break
    return ()

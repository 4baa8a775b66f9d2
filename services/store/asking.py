"""Statements that only read, asked from an event loop: for answers that cost less than the way to a thread and back.

It refuses to write: a statement is asked again where the connection turns out to have been lost before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from services.store.connection import DatabaseUnavailable, connect_async, translated

Asking: TypeAlias = psycopg.AsyncConnection[TupleRow]
"""A connection while it is asked; it can be cancelled from any thread."""
Watch: TypeAlias = Callable[[Asking], AbstractContextManager[object]]
"""Called with the connection, holds around the statement."""


class Asker:
    """Few connections for one event loop, opened when they are needed.

    Args:
        url: a PostgreSQL address; the database may be away.
        name: who asks, seen as application_name.
        connections: most of them.
        wait_s: seconds to wait for one of them, and for the database to answer a new one.
        statement_timeout_s: longest statement, seconds.
    """

    def __init__(
        self, url: str, name: str, *, connections: int, wait_s: float, statement_timeout_s: float
    ) -> None:
        self._url, self._name = url, name
        self._wait_s, self._statement_timeout_s = wait_s, statement_timeout_s
        self._places = asyncio.Semaphore(connections)
        self._idle: list[Asking] = []

    async def rows(
        self,
        statement: LiteralString,
        values: Sequence[Any] | Mapping[str, Any] | None = None,
        watch: Watch = nullcontext,
    ) -> list[TupleRow]:
        """The statement's rows.

        Raises:
            DatabaseUnavailable: no connection came free in time, the database is away, or it took too long.
        """
        try:
            async with asyncio.timeout(self._wait_s if self._places.locked() else None):
                await self._places.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("no connection came free in time") from error
        try:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._asked(connection, statement, values, watch)
                except DatabaseUnavailable:
                    if not connection.closed:
                        raise
            return await self._asked(await self._connected(), statement, values, watch)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Let go of the connections."""
        while self._idle:
            await _end(self._idle.pop())

    async def _connected(self) -> Asking:
        try:
            async with asyncio.timeout(self._wait_s):
                return await connect_async(self._url, self._name, self._statement_timeout_s)
        except TimeoutError as error:
            raise DatabaseUnavailable("it did not answer in time") from error

    async def _asked(
        self, connection: Asking, statement: LiteralString, values: Any, watch: Watch
    ) -> list[TupleRow]:
        try:
            with translated(), watch(connection):
                cursor = await connection.execute(statement, values, prepare=True)
                rows = await cursor.fetchall()
        except BaseException:
            if connection.info.transaction_status is TransactionStatus.IDLE:
                self._idle.append(connection)
            else:  # lost, or given up in the middle: who knows what still comes
                await _end(connection)
            raise
        self._idle.append(connection)
        return rows


async def _end(connection: Asking) -> None:
    with suppress(psycopg.Error):
        await connection.close()

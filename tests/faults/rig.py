"""Everything that a fault meets: a broker, a database, an ingest worker and a stream, all real and all this test's own.

It starts and stops them and asks the database what has arrived. It refuses to judge: see trial.py.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg

from services.domain.errors import Unavailable
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from services.store.accounting import Account, totals
from services.store.connection import connect
from services.store.migrations import migrate
from tests.faults.stream import SENSORS, Stream
from tests.ingest_worker import WorkerProcess, register
from tests.waiting import wait_until

TEMPLATE: Final = "faults"
AUTOSAVE_S: Final = 10 if os.environ.get("CITYGAUGE_FAULTS") == "full" else 1
"""In the full suite as in the field: writing a long queue each second would leave the broker no time for anything."""
_WORKER: Final = {"reconnect_max_s": 1.0}


def prepare(server: EmbeddedDatabase) -> None:
    """Make the template with the schema and the sensors, once for each server."""

    def fill(url: str) -> None:
        migrate(url)
        register(url, SENSORS)

    server.create_template(TEMPLATE, fill)


@dataclass
class Rig:
    """A running line from the stream to the rows, for as long as the `with` block lasts.

    Attributes:
        server: the database server; it may be killed, and whoever owns it starts it again.
        broker_folder: where the broker keeps its snapshot; None: a folder of its own.
    """

    server: EmbeddedDatabase
    stream_settings: dict[str, Any] = field(default_factory=dict)
    worker_settings: dict[str, Any] = field(default_factory=dict)
    broker_folder: Path | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.url = self.server.clone(TEMPLATE)
            stack.callback(self._drop)
            self.broker = stack.enter_context(
                EmbeddedBroker(self.broker_folder, autosave_interval_s=AUTOSAVE_S)
            )
            self.workers: list[WorkerProcess] = []
            stack.callback(self._kill_workers)
            self.start_worker()
            self._await_first_snapshot()
            url = self.broker.url(DEVICE_USER)
            self.stream = stack.enter_context(Stream(url, **self.stream_settings))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def worker(self) -> WorkerProcess:
        """The newest ingest worker."""
        return self.workers[-1]

    @property
    def snapshot(self) -> Path:
        """The file into which the broker writes its sessions and queues."""
        return self.broker.folder / "data" / "mosquitto.db"

    def start_worker(self) -> None:
        """Start one, with the name and the session of the one before."""
        settings = {**_WORKER, **self.worker_settings}
        self.workers.append(WorkerProcess(self.url, self.broker.url(), **settings))
        self.subscribed(1)

    def subscribed(self, times: int) -> None:
        """Wait until the newest worker has subscribed so often."""
        worker = self.worker
        wait_until(lambda: worker.said("broker connected") >= times, what="the subscription")

    def account(self) -> Account | None:
        """The account as it is committed; None where the database cannot be asked."""
        try:
            with connect(self.url, "test") as conn:
                return totals(conn)
        except (Unavailable, psycopg.Error):
            return None

    def stored(self) -> int:
        """How many readings are committed, -1 where the database cannot be asked."""
        account = self.account()
        return -1 if account is None else account.stored

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with connect(self.url, "test") as conn:
            return conn.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def _await_first_snapshot(self) -> None:
        """From then on the broker knows the worker's session, whatever happens to it."""
        self.broker.save()
        wait_until(self.snapshot.exists, what="the broker's first snapshot")

    def _kill_workers(self) -> None:
        for worker in self.workers:
            worker.__exit__(None, None, None)

    def _drop(self) -> None:
        if self.server.running:
            self.server.drop(self.url.rpartition("/")[2])

"""Notify lag: from the moment at which an alert is raised to its arrival at a webhook, at a steady rate.

Alerts are written as the detector writes them, one transaction each, at the given rate; `citygauge notify` runs as a
process of its own and posts each to an HTTP endpoint on loopback. Measured twice: alone, and beside a second route
whose endpoint takes every connection and never answers. Prints a table.

    python -m benchmarks notify [-- --rate 100 --seconds 20]  ->  build/bench/notify.json
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import numpy as np

from benchmarks.accounts import wait_until
from benchmarks.peers.programs import Running
from benchmarks.report import Cell, table, write
from services.domain.alert import event_of_condition
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.embedded.database import EmbeddedDatabase
from services.store.alerting.alerts import AlertRepository
from services.store.connection import Connection, connect
from services.store.migrations import migrate

_EVIDENCE: Final = Evidence("flow_litres_per_h", "L/h", 1840.0, 600.0, 35.0, 600.0, 10, 0.0)
_SECRET: Final = "a secret of the benchmark"
_WARM: Final = 20
"""Alerts before those that count."""


class Receiver:
    """Notes when each message first came; one that hangs takes requests and does not answer until it is closed."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.heard_s: dict[str, float] = {}
        self.requests = 0
        self.closed = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.time()
                owner.requests += 1
                owner.heard_s.setdefault(self.headers["Idempotency-Key"], at)
                self.rfile.read(int(self.headers["Content-Length"]))
                if hangs:
                    owner.closed.wait()
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        """End."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiver(*, hangs: bool = False) -> Iterator[Receiver]:
    """A receiver until the block ends."""
    made = Receiver(hangs=hangs)
    try:
        yield made
    finally:
        made.close()


def raise_alert(conn: Connection, subject: str) -> uuid.UUID:
    """Write an alert's beginning in a transaction of its own; the id of the event."""
    at_us = time.time_ns() // 1000
    said = Condition(
        Rule.BURST, subject, Change.RAISE, at_us, at_us, Severity.CRITICAL, 0.9, _EVIDENCE
    )
    event = event_of_condition(said, f"Flow at {subject} jumped to 1,840 litres per hour.", None)
    assert event is not None
    AlertRepository(conn).apply([event])
    return event.id


def measure(rate: float, seconds: float, *, dead: bool) -> dict[str, Any]:
    """One run on a fresh database.

    Raises:
        SystemExit: a message did not come.
    """
    with (
        EmbeddedDatabase() as server,
        receiver() as living,
        receiver(hangs=True) as hanging,
    ):
        url = server.create()
        migrate(url)
        routes = [{"name": "living", "url": living.url}]
        routes += [{"name": "dead", "url": hanging.url}] if dead else []
        plain = [{**each, "channel": "webhook", "secret": _SECRET} for each in routes]
        environment = {"DATABASE_URL": url, "CITYGAUGE_NOTIFY_ROUTES": json.dumps(plain)}
        raised_s: dict[str, float] = {}
        with (
            Running([sys.executable, "-m", "services.cli", "notify"], environment, keep_output=False) as notify,
            connect(url, "bench", autocommit=True) as conn,
        ):  # fmt: skip
            for number in range(_WARM):
                first = raise_alert(conn, f"warm{number}")
            if not wait_until(lambda: str(first) in living.heard_s, 30):
                raise SystemExit(f"notify tells nothing: {notify.said()[-800:]}")
            begin = time.monotonic()
            count = int(rate * seconds)
            for number in range(count):
                time.sleep(max(0.0, begin + number / rate - time.monotonic()))
                at = time.time()
                raised_s[str(raise_alert(conn, f"meter{number:05d}"))] = at
            took = time.monotonic() - begin
            if not wait_until(lambda: raised_s.keys() <= living.heard_s.keys(), 60):
                missing = len(raised_s.keys() - living.heard_s.keys())
                raise SystemExit(f"{missing} of {count} messages did not come")
            cpu_us = notify.cpu_us()
    lags = [1000 * (living.heard_s[key] - at) for key, at in raised_s.items()]
    return {
        "case": "beside a dead channel" if dead else "alone",
        "rate": rate,
        "kept_rate": count / took,
        "alerts": count,
        "p50_ms": float(np.percentile(lags, 50)),
        "p99_ms": float(np.percentile(lags, 99)),
        "max_ms": max(lags),
        "repeated": living.requests - len(living.heard_s),
        "notify_cpu_ms": cpu_us / 1000 / (count + _WARM),
    }


def main() -> None:
    """Measure both cases, print, write build/bench/notify.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    results = [measure(options.rate, options.seconds, dead=dead) for dead in (False, True)]
    head = ("alerts/s", "kept", "alerts", "p50", "p99", "max", "sent twice", "CPU each")
    names = ("kept_rate", "alerts", "p50_ms", "p99_ms", "max_ms", "repeated", "notify_cpu_ms")
    rows: list[list[Cell]] = [
        [f"{each['rate']:g} {each['case']}", *(each[name] for name in names)] for each in results
    ]
    print(table("From raised to taken by a webhook on loopback, ms", head, rows))
    write("notify", {"results": results})


if __name__ == "__main__":
    main()

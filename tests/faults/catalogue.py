"""What may happen to each part, how it is done to the real one, and how it is undone. Seconds come from the caller."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.faults.rig import AUTOSAVE_S, Rig
from tests.waiting import wait_until

_NEVER: Final = threading.Event()
_BLOCK: Final = 1024 * 1024
SNAPSHOT_BOUND_S: Final = 2.0 * AUTOSAVE_S + 8.0
"""A snapshot is at most so old, on a machine that is busy with everything else too and with a queue to write."""
CAREFUL_S: Final = 30.0
"""So long a careful device keeps what was acknowledged, as decision 16 advises."""


class Needs(StrEnum):
    """What a fault needs of the machine: its own mounts or its own network, both of which only root can have."""

    NOTHING = "nothing"
    MOUNTS = "--mount"
    NETWORK = "--net"


@dataclass(frozen=True)
class Fault:
    """One way in which a part can fail.

    Attributes:
        inject: does it, for so many seconds, and undoes it: afterwards everything is able to work again.
        short_s, full_s: how long it lasts in `make test` and in `make faults`.
        needs: of the machine.
        stream: settings of the stream; the full suite's differ by `full_stream`.
        may_lose_s: acknowledged messages may be lost if they are younger than so many seconds; 0: none may.
        may_reject: readings may be rejected (and kept) that are none of the stream's bad messages.
        late: readings may come in another order than they were made.
    """

    inject: Callable[[Rig, float], None]
    short_s: float
    full_s: float
    needs: Needs = Needs.NOTHING
    stream: Mapping[str, Any] = field(default_factory=dict)
    full_stream: Mapping[str, Any] = field(default_factory=dict)
    may_lose_s: float = 0.0
    may_reject: bool = False
    in_test: bool = True


def lasting(seconds: float) -> None:
    """Let a fault last: what is measured here is time itself."""
    _NEVER.wait(seconds)


def _worker_killed(rig: Rig, seconds: float) -> None:
    rig.worker.kill()
    lasting(seconds)
    rig.start_worker()


def _worker_frozen(rig: Rig, seconds: float) -> None:
    os.kill(rig.worker.pid, signal.SIGSTOP)
    lasting(seconds)
    os.kill(rig.worker.pid, signal.SIGCONT)


def _broker_killed(rig: Rig, seconds: float) -> None:
    rig.broker.kill()
    lasting(seconds)
    rig.broker.start()


def _broker_frozen(rig: Rig, seconds: float) -> None:
    rig.broker.pause()
    lasting(seconds)
    rig.broker.resume()


def _broker_killed_with_a_queue(rig: Rig, seconds: float) -> None:
    """Nobody takes the messages for so long; then the broker dies, with all that it had not written down."""
    os.kill(rig.worker.pid, signal.SIGSTOP)
    lasting(seconds)
    rig.broker.kill()
    rig.broker.start()
    os.kill(rig.worker.pid, signal.SIGCONT)


def _broker_restarted_with_a_queue(rig: Rig, seconds: float) -> None:
    """The queue grows for so long without a worker, and the broker has been back for a while before a worker is."""
    rig.worker.kill()
    lasting(seconds)
    rig.broker.restart()
    heard = rig.stream.acknowledged
    wait_until(lambda: rig.stream.acknowledged > heard + 100, what="the stream after the restart")
    rig.start_worker()


def _backend_killed(rig: Rig, seconds: float) -> None:
    """kill -9 of the worker's backend makes PostgreSQL end all of them and recover, as after a crash."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'citygauge-ingest%'"
    for (pid,) in rig.ask(query):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: rig.worker.said("database away") >= 1, what="the log line of the outage")


def _database_killed(rig: Rig, seconds: float) -> None:
    rig.server.kill()
    lasting(seconds)
    rig.server.start()


def _database_frozen(rig: Rig, seconds: float) -> None:
    rig.server.pause()
    lasting(seconds)
    rig.server.resume()


def _database_stopped(rig: Rig, seconds: float) -> None:
    rig.server.restart(lambda: lasting(seconds))


def _sent_twice(rig: Rig, seconds: float) -> None:
    """The device loses its connection ten times and sends all that it had not heard of again."""
    for _ in range(10):
        rig.stream.break_off()
        lasting(seconds / 10)


def _delivered_twice(rig: Rig, seconds: float) -> None:
    """A worker that dies under load has committed what it has not acknowledged: the broker delivers it again."""
    for _ in range(3):
        rig.worker.kill()
        rig.start_worker()
        lasting(seconds / 3)


def _clock_ahead(rig: Rig, seconds: float) -> None:
    rig.worker.set_clock(6 * 3600)
    lasting(seconds)
    rig.worker.set_clock(0)


def _clock_behind(rig: Rig, seconds: float) -> None:
    """Seen from there the readings are from the future: they are kept as rejected messages, to be replayed."""
    rig.worker.set_clock(-6 * 3600)
    lasting(seconds)
    rig.worker.set_clock(0)


def _broker_disk_full(rig: Rig, seconds: float) -> None:
    """The snapshot of a growing queue does not fit. The broker goes on from memory and writes it when it can."""
    os.kill(rig.worker.pid, signal.SIGSTOP)
    ballast = _fill(rig.broker.folder / "ballast", leave=64 * 1024)
    complaints = rig.broker.log.read_text().count("No space left")
    wait_until(
        lambda: (
            rig.broker.log.read_text().count("No space left") > complaints
            or "Error saving" in rig.broker.log.read_text()
        ),
        what="the broker's complaint",
    )
    lasting(seconds)
    ballast.unlink()
    os.kill(rig.worker.pid, signal.SIGCONT)


def _database_disk_full(rig: Rig, seconds: float) -> None:
    ballast = _fill(rig.server.folder / "ballast", leave=2 * _BLOCK)
    wait_until(lambda: rig.worker.said("database away") >= 1, what="the log line of the outage")
    lasting(seconds)
    ballast.unlink()
    if not rig.server.running or rig.account() is None:
        rig.server.restart()


def _network_cut(rig: Rig, seconds: float) -> None:
    """Every packet is dropped, and nobody is told."""
    _run("ip", "link", "set", "lo", "down")
    lasting(seconds)
    _run("ip", "link", "set", "lo", "up")


def _network_slow(rig: Rig, seconds: float) -> None:
    command = [
        "tc",
        "qdisc",
        "add",
        "dev",
        "lo",
        "root",
        "tbf",
        "rate",
        "8mbit",
        "burst",
        "32kbit",
        "latency",
        "200ms",
    ]
    subprocess.run(command, check=True)
    lasting(seconds)
    _run("tc", "qdisc", "del", "dev", "lo", "root")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _fill(file: Path, *, leave: int) -> Path:
    """Fill the disk below a file with it, all but `leave` bytes."""
    with file.open("wb") as ballast:
        try:
            while shutil.disk_usage(file.parent).free > leave:
                room = shutil.disk_usage(file.parent).free - leave
                ballast.write(bytes(min(_BLOCK, max(1, room))))
                ballast.flush()
        except OSError:
            pass
    return file


_CAREFUL: Final = {"repeat_s": CAREFUL_S}
_STEADY: Final = {"rate": 5_000}
_SLOW: Final = {"rate": 500}
"""Its batches are small: each is one statement, whose answer may be lost with the connection."""

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "kill -9 of ingest": Fault(_worker_killed, 0.3, 5),
        "kill -9 of ingest, small batches": Fault(
            _worker_killed, 0.3, 5, stream=_SLOW, in_test=False
        ),
        "SIGSTOP of ingest": Fault(_worker_frozen, 1, 30, in_test=False),
        "kill -9 of the broker, ingest keeping up": Fault(
            _broker_killed, 0.3, 5, stream=_STEADY, may_lose_s=SNAPSHOT_BOUND_S
        ),
        "kill -9 of the broker with a queue, plain device": Fault(
            _broker_killed_with_a_queue, 2, 30, may_lose_s=SNAPSHOT_BOUND_S, in_test=False
        ),
        "kill -9 of the broker with a queue, careful device": Fault(
            _broker_killed_with_a_queue, 1, 30, stream=_CAREFUL
        ),
        "SIGSTOP of the broker": Fault(_broker_frozen, 1, 30),
        "restart of the broker with a full queue": Fault(_broker_restarted_with_a_queue, 1, 20),
        "kill -9 of the database's backend": Fault(_backend_killed, 0, 0),
        "kill -9 of the database's backend, small batches": Fault(
            _backend_killed, 0, 0, stream=_SLOW
        ),
        "kill -9 of the database": Fault(_database_killed, 0.3, 5),
        "kill -9 of the database, small batches": Fault(
            _database_killed, 0.3, 5, stream=_SLOW, in_test=False
        ),
        "SIGSTOP of the database": Fault(_database_frozen, 1, 30),
        "database away": Fault(_database_stopped, 1, 300, full_stream=_STEADY, in_test=False),
        "disk full for the broker": Fault(_broker_disk_full, 0, 10, needs=Needs.MOUNTS),
        "disk full for the database": Fault(_database_disk_full, 0, 10, needs=Needs.MOUNTS),
        "network cut": Fault(_network_cut, 1, 30, needs=Needs.NETWORK),
        "slow link": Fault(_network_slow, 1, 30, needs=Needs.NETWORK, in_test=False),
        "sent twice by the device": Fault(_sent_twice, 0.5, 10),
        "delivered twice by the broker": Fault(_delivered_twice, 0.5, 10, in_test=False),
        "clock six hours ahead": Fault(_clock_ahead, 0.5, 10, in_test=False),
        "clock six hours behind": Fault(_clock_behind, 0.5, 10, may_reject=True),
    }
)

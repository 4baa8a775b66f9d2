"""Does one fault to a rig at full load and finds out what became of each message.

`python -m tests.faults.trial NAME short|full` does it in a process of its own, for faults that need their own mounts
or their own network, and prints the outcome as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.domain.errors import Unavailable
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.database import EmbeddedDatabase
from simulators.publish import Publisher
from tests.embedded_fixtures import memory
from tests.faults.catalogue import FAULTS, Needs
from tests.faults.rig import Rig, prepare
from tests.waiting import wait_until

_WARM_UP: Final = 2_000
_PATIENCE_S: Final = 300.0
_RUN_ON_S: Final = 0.3
_GENTLE: Final = {"rate": 8_000}
"""`make test` shares its machine; only the full suite publishes as fast as the broker takes it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the messages.

    Attributes:
        name: of the fault; seconds: how long it lasted.
        acknowledged: different messages that the broker acknowledged to the device: all that it sent.
        stored: readings in the database, each once; rejected: different messages that are kept as rejected.
        lost: acknowledged, and neither stored nor rejected.
        lost_age_s: how long before the fault's end the oldest lost one was acknowledged; 0 when none was lost.
        bad: messages of the stream that cannot be decoded.
        duplicate, late: of the account.
        again: messages that the device sent again, unacknowledged; repeated: although acknowledged.
        unheard: acknowledgements that said "no subscriber".
        first_s: from the fault's end to the next commit; caught_up_s: until all that was acknowledged at the fault's
            end was committed.
        per_s: acknowledged messages a second before the fault.
    """

    name: str
    seconds: float
    acknowledged: int
    stored: int
    rejected: int
    lost: int
    lost_age_s: float
    bad: int
    duplicate: int
    late: int
    again: int
    repeated: int
    unheard: int
    first_s: float
    caught_up_s: float
    per_s: float


def run(
    name: str,
    server: EmbeddedDatabase,
    *,
    full: bool = False,
    broker_folder: Path | None = None,
) -> Outcome:
    """Do the fault `name` for as long as the suite asks, on a prepared server."""
    fault = FAULTS[name]
    seconds = fault.full_s if full else fault.short_s
    settings = {**({} if full else _GENTLE), **fault.stream, **(fault.full_stream if full else {})}
    with Rig(server, settings, broker_folder=broker_folder) as rig:
        wait_until(lambda: rig.stored() > _WARM_UP, what="the first readings in the database")
        before, began = rig.stream.acknowledged, time.monotonic()
        wait_until(lambda: time.monotonic() > began + _RUN_ON_S, what="the stream to run on")
        per_s = (rig.stream.acknowledged - before) / (time.monotonic() - began)
        fault.inject(rig, seconds)
        healed = time.monotonic()
        at_first = max(0, rig.stored())
        _patiently(lambda: rig.stored() > at_first, "the next commit")
        first_s = time.monotonic() - healed
        rig.stream.cease()
        _let_through(rig, 1)
        caught_up_s = time.monotonic() - healed
        rig.stream.settle(_PATIENCE_S)
        _let_through(rig, 2)
        return _judge(name, rig, seconds, healed, first_s, caught_up_s, per_s)


def _judge(
    name: str,
    rig: Rig,
    seconds: float,
    healed: float,
    first_s: float,
    caught_up_s: float,
    per_s: float,
) -> Outcome:
    stream = rig.stream
    rows = [int(row[0]) for row in rig.ask("SELECT register_litres FROM water_reading")]
    assert len(set(rows)) == len(rows), "a reading is stored twice"
    kept = {
        _number(bytes(row[0])) for row in rig.ask("SELECT DISTINCT payload FROM rejected_message")
    }
    account = rig.account()
    assert account is not None
    missing = set(range(stream.sent)) - set(rows) - kept
    age = 0.0
    if missing:
        oldest = min(missing)
        age = next(
            each / 10
            for each in range(1, 100_000)
            if stream.acknowledged_by(healed - each / 10) <= oldest
        )
    return Outcome(
        name,
        seconds,
        stream.acknowledged,
        len(rows),
        len(kept),
        len(missing),
        age,
        stream.bad(),
        account.duplicate,
        account.late,
        stream.again,
        stream.repeated,
        stream.unheard,
        round(first_s, 2),
        round(caught_up_s, 2),
        round(per_s),
    )


def _number(payload: bytes) -> int:
    """Which message of the stream it is."""
    if payload.startswith(b"bad "):
        return int(payload[4:])
    return int(json.loads(payload)["values"]["register"])


def _let_through(rig: Rig, number: int) -> None:
    """Another device's reading goes after all that the broker has, and is stored after all that will ever be.

    The broker keeps the order of what it has for a worker, and the worker takes it in that order.
    """
    with Publisher(rig.broker.url(DEVICE_USER), "last", insists=True) as device:
        reading = {"time": rig.stream.started_at + number, "values": {"speed": 50.0}}
        body = json.dumps({**reading, "units": {"speed": "km/h"}}).encode()
        device.publish("citygauge/v1/traffic/t1/reading", body, 1)
        device.flush(_PATIENCE_S)

    def stored() -> bool:
        try:
            return rig.ask("SELECT count(*) FROM traffic_reading") == [(number,)]
        except Unavailable:
            return False

    _patiently(stored, f"the backlog, to its last reading {number}")


def _patiently(predicate: object, what: str) -> None:
    assert callable(predicate)
    wait_until(predicate, _PATIENCE_S, what)


@contextlib.contextmanager
def _surroundings(needs: Needs) -> Iterator[tuple[Path | None, Path | None]]:
    """Small disks for the database and the broker, or a network; both end with this process."""
    if needs is Needs.NETWORK:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield None, None
        return
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        database, broker = Path(above, "database"), Path(above, "broker")
        for folder, size in ((database, "700m"), (broker, "1m")):
            folder.mkdir()
            options = f"size={size},mode=755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
        try:
            yield database, broker
        finally:
            for folder in (database, broker):
                subprocess.run(["umount", "-l", str(folder)], check=True)


def main(arguments: list[str]) -> int:
    """The command: see the module's first lines."""
    name, full = arguments[0], arguments[1] == "full"
    with _surroundings(FAULTS[name].needs) as (database, broker):
        disk = FAULTS[name].needs is Needs.MOUNTS
        of_broker = disk and "broker" in name
        of_database = database if disk and not of_broker else None
        within = None if full else memory()
        with EmbeddedDatabase(of_database, within=within) as server:
            prepare(server)
            outcome = run(name, server, full=full, broker_folder=broker if of_broker else None)
    print(json.dumps(dataclasses.asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

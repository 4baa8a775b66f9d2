"""Whatever fails, under full load: each acknowledged message is stored once or kept as rejected, in order.

`make faults` lets each fault last as long as it does in the field and prints how long the recovery took; `make test`
runs the same faults for a second. Those that need root, for mounts or a network of their own, are skipped without.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from benchmarks import report
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix
from tests.embedded_fixtures import memory
from tests.faults.catalogue import FAULTS, Needs
from tests.faults.rig import prepare
from tests.faults.trial import Outcome, run

FULL: Final = os.environ.get("CITYGAUGE_FAULTS") == "full"
NAMES: Final = [name for name, fault in FAULTS.items() if FULL or fault.in_test]
pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800 if FULL else 900)]


@pytest.fixture(scope="module")
def server(prefix: Prefix) -> Iterator[EmbeddedDatabase]:
    """A durable database server for the faults of this file; each has a database of its own.

    It lies on the disk where the figures are made.
    """
    with EmbeddedDatabase(within=None if FULL else memory()) as server:
        prepare(server)
        yield server


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """What each fault did; in the full suite it becomes a table and build/bench/faults.json."""
    found: list[Outcome] = []
    yield found
    if FULL and found:
        head = ["fault", "s", "messages/s", "acknowledged", "stored", "rejected", "lost", "again"]
        head += ["first commit, s", "caught up, s"]
        rows: list[list[report.Cell]] = [
            [
                each.name,
                each.seconds,
                int(each.per_s),
                each.acknowledged,
                each.stored,
                each.rejected,
                each.lost,
                each.again + each.repeated + each.unheard,
                each.first_s,
                each.caught_up_s,
            ]
            for each in found
        ]
        print("\n" + report.table("Faults under load: nothing lost, nothing twice", head, rows))
        report.write("faults", {"outcomes": [dataclasses.asdict(each) for each in found]})


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_lost_and_nothing_is_stored_twice(
    name: str, server: EmbeddedDatabase, outcomes: list[Outcome]
) -> None:
    fault = FAULTS[name]
    alone = fault.needs is not Needs.NOTHING
    outcome = apart(name, fault.needs) if alone else run(name, server, full=FULL)
    outcomes.append(outcome)
    if FULL:
        print(f"\n{outcome}", flush=True)
    if fault.may_lose_s:
        assert outcome.lost_age_s <= fault.may_lose_s + outcome.seconds
    else:
        assert outcome.lost == 0
        assert outcome.stored + outcome.rejected == outcome.acknowledged
    if not fault.may_reject and not outcome.lost:
        assert outcome.rejected == outcome.bad
    if not outcome.again and not outcome.repeated and "broker" not in name:
        assert outcome.duplicate == 0, (
            "a message that comes again is not a reading that comes twice"
        )
    assert outcome.late == 0, "the order within a sensor is not kept"


def apart(name: str, needs: Needs) -> Outcome:
    """Do a fault in a process with mounts or a network of its own, which end with it."""
    unshare = ["unshare", str(needs)]
    if os.geteuid() != 0:
        pytest.skip(f"{name}: needs root, for unshare {needs}")
    tools = ["true"] if needs is Needs.MOUNTS else ["ip", "tc"]
    probe = subprocess.run([*unshare, "sh", "-c", "command -v " + " ".join(tools)], check=False)
    if probe.returncode:
        pytest.skip(f"{name}: needs {' and '.join(tools)}, and unshare {needs}")
    command = [
        *unshare,
        sys.executable,
        "-m",
        "tests.faults.trial",
        name,
        "full" if FULL else "short",
    ]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout))

"""Adds up what processes have cost, from /proc: CPU time and memory. It changes nothing about them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICK_US: Final = 1_000_000 / os.sysconf("SC_CLK_TCK")
_GUARDIAN: Final = "guardian.py"


class ServerNotFound(LookupError):
    """No server that this process started works on the folder."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """CPU microseconds that each account had cost up to a moment.

    Attributes:
        at_us: the moment, microseconds since 1970.
        cpu_us: account -> CPU time of its processes, of those that ended as well.
        machine_us: CPU time of everything on this machine.
    """

    at_us: int
    cpu_us: dict[str, float]
    machine_us: float

    def since(self, before: Snapshot) -> dict[str, float]:
        """What each account has cost since an earlier moment, in microseconds."""
        return {name: cost - before.cpu_us[name] for name, cost in self.cpu_us.items()}


def snapshot(roots: dict[str, int], excluding: Collection[int] = ()) -> Snapshot:
    """The cost so far of the trees below `roots` (account -> pid), without the processes in `excluding`."""
    costs = {name: cpu_us(root, excluding) for name, root in roots.items()}
    return Snapshot(time.time_ns() // 1000, costs, _machine_us())


def cpu_us(root: int, excluding: Collection[int] = ()) -> float:
    """CPU time of a process, its descendants, and the children that those have waited for."""
    return sum(_own_us(pid) for pid in (root, *descendants(root)) if pid not in excluding)


def resident_peak_bytes(root: int) -> int:
    """The largest resident memory of a process and its descendants, added up (shared pages count in each)."""
    return sum(_peak_bytes(pid) for pid in (root, *descendants(root)))


def shared_out_bytes(root: int) -> int:
    """The resident memory of a process and its descendants now; a page that several share is divided among them."""
    return sum(_proportional_bytes(pid) for pid in (root, *descendants(root)))


def descendants(root: int) -> list[int]:
    """Every process below `root`."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        children.setdefault(_parent(pid), []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def server_pid(folder: Path) -> int:
    """The embedded server that this process started on `folder`: the child of its guardian.

    Raises:
        ServerNotFound: there is none.
    """
    for pid in descendants(os.getpid()):
        if str(folder) in _read(pid, "cmdline") and _GUARDIAN in _read(_parent(pid), "cmdline"):
            return pid
    raise ServerNotFound(folder)


def _machine_us() -> float:
    """User, nice, system, interrupts and steal of all cores: proc(5), /proc/stat."""
    user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) * _TICK_US


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _fields(pid: int) -> list[str]:
    """/proc/pid/stat from the third field, the state, on; the second may hold spaces. proc(5)."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _own_us(pid: int) -> float:
    fields = _fields(pid)
    return sum(map(int, fields[11:15])) * _TICK_US if fields else 0.0


def _peak_bytes(pid: int) -> int:
    return _kilobytes(pid, "status", "VmHWM:") * 1024


def _proportional_bytes(pid: int) -> int:
    """proc(5), /proc/pid/smaps_rollup: Pss."""
    return _kilobytes(pid, "smaps_rollup", "Pss:") * 1024


def _kilobytes(pid: int, file: str, name: str) -> int:
    for line in _read(pid, file).splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def wait_until(true: Callable[[], bool], timeout_s: float, pause_s: float = 0.05) -> bool:
    """Look every `pause_s` seconds whether it is true; False when the time is up first."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True

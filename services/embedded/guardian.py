"""Runs one server for a parent process and outlives neither: a program of its own, stdlib only.

`processes.py` starts it as `python -I -S guardian.py PARENT UID GID STOP_SIGNAL GRACE COMMAND...`.
It starts the command as its child, writes the child's pid to its standard output, and ends when
the child has ended; whatever descendants are left by then are killed. It asks the child to stop
when its standard input is closed or gets a byte, or when the parent is gone, however the parent went: a pidfd is
about the whole process, unlike PR_SET_PDEATHSIG, which fires when the *thread* that started the
child ends. The child in turn has PR_SET_PDEATHSIG, for the case that this guardian (which has one
thread) is killed. It does not restart anything and it does not read what the server writes.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_QUIET_HERE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ)


def descendants(pid: int) -> Iterator[int]:
    """Every living process below `pid`, children before grandchildren."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in (b"Z", b"X"):
                children.setdefault(int(fields[1]), []).append(int(name))
    waiting = children.get(pid, [])
    while waiting:
        yield from waiting
        waiting = [grandchild for child in waiting for grandchild in children.get(child, [])]


def send(pid: int, number: int) -> None:
    """Signal a process that may have ended in the meantime."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _start(command: list[str], uid: int, gid: int, death_signal: int) -> int:
    guardian = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        for number in _QUIET_HERE:
            signal.signal(number, signal.SIG_DFL)
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        # After the change of user: that change clears the setting.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() == guardian:
            os.execv(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error}\n".encode())
    os._exit(127)


def _stop(child: int, child_ended: int, stop_signal: int, grace: float) -> None:
    """Wake the child and all below it, ask it to stop, and kill it when the grace is over."""
    send(child, stop_signal)
    for pid in (*descendants(child), child):
        send(pid, signal.SIGCONT)
    if not select.select([child_ended], [], [], grace)[0]:
        send(child, signal.SIGKILL)


def _reap_the_rest() -> None:
    """As subreaper this process inherits the child's orphans: none of them may stay."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            send(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main(arguments: list[str]) -> int:
    """Run the command to its end and return its exit code, 128 + n when signal n ended it."""
    parent, uid, gid, stop_signal = (int(text) for text in arguments[:4])
    grace = float(arguments[4])
    for number in _QUIET_HERE:
        signal.signal(number, signal.SIG_IGN)
    try:
        parent_gone = os.pidfd_open(parent)
    except ProcessLookupError:
        return 0
    if os.getppid() != parent:
        return 0
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = _start(arguments[5:], uid, gid, signal.SIGKILL)
    child_ended = os.pidfd_open(child)
    os.write(1, f"{child}\n".encode())
    os.close(1)
    ready = select.select([0, parent_gone, child_ended], [], [])[0]
    if child_ended not in ready:
        _stop(child, child_ended, stop_signal, grace)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _reap_the_rest()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Starts servers that end with the process that started them, whatever ends it.

Each server is the child of a small guardian (`guardian.py`), which watches this process and stops
the server when it goes: by SIGKILL, by an unhandled SIGTERM, by Ctrl-C. The guardian and the
server have process groups of their own, so that a Ctrl-C in the terminal reaches neither before
this process has decided. Nothing here restarts a server or knows what it serves.
"""

import contextlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from services.embedded import guardian
from services.embedded.accounts import Account
from services.embedded.errors import StartFailed

_GUARDIAN = Path(guardian.__file__)
_READY_POLL = 0.005
_LENT = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 50


def free_port() -> int:
    """A loopback TCP port that was free a moment ago; nobody holds it for the caller.

    It is none that the system lends to connections, so it is free after a restart of its server, too.
    """
    for port in (*random.sample(_lasting_ports(), _TRIES), 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            bound: int = probe.getsockname()[1]
            return bound
    raise OSError("no TCP port is free on 127.0.0.1")


def _lasting_ports() -> range:
    """High ports below those that the system lends."""
    try:
        lent = int(_LENT.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lent = 32_768
    return range(lent - 10_000, lent) if lent > 20_000 else range(20_000, 30_000)


def interrupt_on_terminate() -> None:
    """Let SIGTERM unwind the main thread as Ctrl-C does, so that `with` blocks stop their servers.

    Without it a SIGTERM ends this process at once, and the guardians do the stopping.
    """

    def unwind(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, unwind)


class TetheredProcess:
    """A running server and its guardian. Start one with `start`."""

    def __init__(
        self, name: str, runner: "subprocess.Popen[bytes]", pid: int, log: Path, log_start: int
    ) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self._log_start = log_start
        self._runner = runner

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        account: Account | None = None,
        stop_signal: int = signal.SIGTERM,
        grace: float = 10.0,
        environment: dict[str, str] | None = None,
        holding: Sequence[int] = (),
    ) -> "TetheredProcess":
        """Start a command, given by its path, with its output appended to `log`.

        It stops within `grace` seconds of `stop_signal`, or is killed.
        Server and guardian keep the file descriptors `holding` open: a lock on one of them lasts
        until all of them are gone.
        """
        lent = (account.uid, account.gid) if account else (-1, -1)
        head = [sys.executable, "-I", "-S", _GUARDIAN, os.getpid(), *lent, int(stop_signal), grace]
        with log.open("ab") as output:
            log_start = output.tell()
            runner = subprocess.Popen(
                [str(part) for part in (*head, *command)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd="/",
                env=environment,
                process_group=0,
                pass_fds=holding,
            )
        assert runner.stdout is not None
        with runner.stdout as announcement:
            line = announcement.readline()
        if not line:
            runner.communicate()
            raise StartFailed(name, "its guardian ended", log)
        return cls(name, runner, int(line), log, log_start)

    @property
    def running(self) -> bool:
        """Whether the server, or anything it started, is still there."""
        return self._runner.poll() is None

    def said(self) -> bytes:
        """What the server has written to its log since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait until `ready` says so; StartFailed when the server ends or the time is up first."""
        deadline = time.monotonic() + timeout
        guardian_ended = os.pidfd_open(self._runner.pid)
        try:
            while not ready():
                if select.select([guardian_ended], [], [], _READY_POLL)[0]:
                    code = self._runner.wait()
                    raise StartFailed(self.name, f"it ended with exit code {code}", self.log)
                if time.monotonic() > deadline:
                    self.stop()
                    raise StartFailed(self.name, f"not ready after {timeout:g} s", self.log)
        finally:
            os.close(guardian_ended)

    def stop(self) -> None:
        """Ask the server to stop, by force after its grace; return when all of it is gone."""
        self._release()
        self._runner.wait()

    def kill(self) -> None:
        """End the server and everything below it at once, as a loss of power would."""
        guardian.send(self.pid, signal.SIGKILL)
        self._runner.wait()
        self._release()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing answers."""
        guardian.send(self.pid, signal.SIGSTOP)
        for pid in guardian.descendants(self.pid):
            guardian.send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        for pid in (*guardian.descendants(self.pid), self.pid):
            guardian.send(pid, signal.SIGCONT)

    def _release(self) -> None:
        if self._runner.stdin is not None:
            # A byte, not only the end of the pipe: a forked child of this process may hold it open.
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._runner.stdin.write(b".")
            with contextlib.suppress(BrokenPipeError):
                self._runner.stdin.close()

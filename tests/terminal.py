"""A terminal of the tests: a command on a real pseudo-terminal, with what it shows and the keys that it is sent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.waiting import PATIENCE_S, DeadlinePassed

CTRL_C = b"\x03"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[\]P][^\x07]*\x07|\r")


class Terminal:
    """A command that has a terminal for its own. Use it in a `with` block; the command is killed at its end.

    Ctrl-C reaches everything in the terminal's foreground, as it does for a person.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        size: tuple[int, int] = (100, 30),
        folder: Path | None = None,
    ) -> None:
        """`size` is columns and lines."""
        self._master, terminal = pty.openpty()
        columns, lines = size
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            env={**environment, "TERM": "xterm-256color"},
            cwd=folder,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    @property
    def shown(self) -> str:
        """Everything that was shown until now, without colours and movements of the cursor."""
        return _CONTROL.sub("", self._shown.decode(errors="replace"))

    def wait_for(self, text: str, timeout: float = PATIENCE_S) -> None:
        """Wait until the text was shown."""
        deadline = time.monotonic() + timeout
        while text not in self.shown:
            if not self._read(deadline):
                raise DeadlinePassed(f"{text!r} on the terminal", timeout, self.shown[-2000:])

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._master, keys)

    def wait_end(self, timeout: float = PATIENCE_S) -> int:
        """The command's exit status, when everything has left the terminal."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        """Take in what is shown next; False when nobody is there to show more, or the time is up."""
        if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        said = b""
        with contextlib.suppress(OSError):  # the last one on the terminal has closed it
            said = os.read(self._master, 65536)
        self._shown += said
        return bool(said)

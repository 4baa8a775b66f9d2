"""Starts a command that ends with the process that started it, however that ends: a program of its own, stdlib only.

`tethered` puts it before a command. The kernel kills the command (SIGKILL) when the thread that started it ends; it
keeps the process id, the exit status and the streams of the command. What the command itself starts is its business.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str | Path]) -> list[str | Path]:
    """The command, tied to this process; its program is found in PATH. Start it in a thread that lasts."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(parent: int, command: list[str]) -> None:
    """Become the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

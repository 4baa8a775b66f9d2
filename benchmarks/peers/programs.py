"""Runs a pipeline's program: its output to a log, its end noticed to the microsecond, its whole tree stopped."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import accounts

_GRACE_S: Final = 5.0
_LOG_TAIL: Final = 1_500


class ProgramEnded(RuntimeError):
    """A program ended when it should have run on; the text is the end of its log."""


class Running:
    """A program that was started; use it in a `with` block, which stops it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, keep_output: bool
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._log = Path(self._folder.name) / "log"
        place = {"HOME": self._folder.name, "TMPDIR": self._folder.name, "LC_ALL": "C.UTF-8"}
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log if keep_output else subprocess.DEVNULL,
                stderr=log,
                env={"PATH": os.environ["PATH"], **place, **environment},
                start_new_session=True,
            )
        self.pid = process.pid
        self._process = process
        self._ended = threading.Event()
        self._usage: resource.struct_rusage | None = None
        self.ended_at_us = 0
        threading.Thread(target=self._reap, daemon=True).start()

    def _reap(self) -> None:
        _, status, usage = os.wait4(self.pid, 0)
        self.ended_at_us = time.time_ns() // 1000
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._usage = usage
        self._ended.set()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended.is_set()

    def check(self) -> None:
        """Raises ProgramEnded when it is over."""
        if self.ended:
            raise ProgramEnded(
                f"it ended with {self._process.returncode}: {self.said()[-_LOG_TAIL:]}"
            )

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when the time is up first."""
        return self._ended.wait(timeout_s)

    def said(self) -> str:
        """Its log: what it wrote to standard error."""
        return self._log.read_text(errors="replace")

    def cpu_us(self) -> float:
        """CPU time so far, of its descendants as well."""
        usage = self._usage
        if usage is not None:
            return (usage.ru_utime + usage.ru_stime) * 1e6
        return accounts.cpu_us(self.pid)

    def resident_peak_bytes(self) -> int | None:
        """The most memory that it has held so far; None when it is over, because the kernel then tells no more."""
        return None if self.ended else accounts.resident_peak_bytes(self.pid)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.ended:
                break
            os.killpg(self.pid, number)
            self._ended.wait(_GRACE_S)
        self._folder.cleanup()

"""Runs a preview of rules in a process of its own: bounded in memory and time, at low priority, ended with its parent.

The API asks for it through its `Previewer`; the process is `preview_job`, which talks in JSON lines.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from services.api.errors import PreviewFailed
from services.cli.commands import PREVIEW_JOB
from services.detect.detector_settings import DetectorSettings
from services.domain.errors import InvalidInput
from services.domain.sentences.bounds import bound_of
from services.domain.sentences.problem import problem

_LOOK_S: Final = 0.5
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class ProcessPreviewer:
    """Starts one process for each preview; the API's own memory and threads stay free of it.

    Attributes:
        database_url: where the readings are; present: the settings in force; warm_days: as the live service takes.
        memory_bytes, seconds: past them the preview fails and says so.
    """

    database_url: str
    present: DetectorSettings
    warm_days: float
    memory_bytes: int
    seconds: float

    def check(self, changes: Mapping[str, float]) -> None:
        """Refuse what is no limit, is out of its bounds, or changes nothing.

        Raises:
            InvalidInput: it names the limit.
        """
        for name, value in changes.items():
            info = DetectorSettings.model_fields.get(name)
            if info is None or info.annotation is not float:
                raise InvalidInput(
                    "changes", name, "the name of a limit, as GET /v1/rules gives it"
                )
            try:
                DetectorSettings.model_validate({**self.present.model_dump(), name: value})
            except ValidationError as error:
                first = error.errors()[0]
                rule = bound_of(first) or first["msg"].removeprefix("Input should be ")
                raise InvalidInput(name, value, rule) from None
        if self._changed(changes) == self.present:
            raise InvalidInput("changes", dict(changes), problem("other_value"))

    def run(
        self, asked: Mapping[str, Any], report: Callable[[float], bool]
    ) -> Mapping[str, Any] | None:
        """The result of a preview; `report` is told the share that is done and says whether to go on.

        Returns:
            None when `report` said no.

        Raises:
            PreviewFailed: it took too long or too much memory, or went wrong.
        """
        order = {**asked, "present": self.present.model_dump(), "warm_days": self.warm_days}
        order["memory_bytes"] = self.memory_bytes
        environment = {**os.environ, "DATABASE_URL": self.database_url}
        environment |= dict.fromkeys(_ONE_THREAD, "1")
        command = [sys.executable, "-m", "services.cli", PREVIEW_JOB]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        ) as process:
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
                return self._follow(process, report)
            except BrokenPipeError:
                raise PreviewFailed("its process ended at once; the log has the cause") from None
            finally:
                process.kill()

    def _follow(
        self, process: subprocess.Popen[bytes], report: Callable[[float], bool]
    ) -> Mapping[str, Any] | None:
        assert process.stdout is not None
        until = time.monotonic() + self.seconds
        share, rest = 0.0, b""
        while report(share):
            if time.monotonic() > until:
                raise PreviewFailed(problem("preview_slow", seconds=f"{self.seconds:g}"))
            if not select.select([process.stdout], [], [], _LOOK_S)[0]:
                continue
            piece = os.read(process.stdout.fileno(), 1 << 20)
            if not piece:
                raise PreviewFailed(problem("preview_ended"))
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                said = json.loads(line)
                if "result" in said:
                    result: Mapping[str, Any] = said["result"]
                    return result
                if "problem" in said:
                    raise PreviewFailed(said["problem"])
                share = said["progress"]
        return None

    def _changed(self, changes: Mapping[str, float]) -> DetectorSettings:
        return DetectorSettings.model_validate({**self.present.model_dump(), **changes})

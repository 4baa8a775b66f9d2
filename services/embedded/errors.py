"""The errors of the embedded database and broker: what is missing, and what a person can do.

They carry their facts as attributes; nothing here decides how they are shown.
"""

from collections.abc import Sequence
from pathlib import Path


class EmbeddedError(Exception):
    """Anything that keeps the embedded database or broker from working."""

    retriable = False


class PrefixUnavailable(EmbeddedError):
    """The private prefix could not be built on this machine."""

    def __init__(self, missing: str, remedy: str, *, retriable: bool = False) -> None:
        super().__init__(f"{missing}. {remedy}")
        self.missing = missing
        self.remedy = remedy
        self.retriable = retriable


class CommandFailed(EmbeddedError):
    """A helper program ended with an error."""

    def __init__(self, command: Sequence[str], exit_code: int, output: str) -> None:
        last = output.strip().splitlines()[-12:]
        super().__init__("\n".join([f"{command[0]} ended with exit code {exit_code}:", *last]))
        self.command = tuple(command)
        self.exit_code = exit_code
        self.output = output


class StartFailed(EmbeddedError):
    """A server ended, or stayed silent, instead of becoming ready."""

    def __init__(self, server: str, reason: str, log: Path | None = None) -> None:
        super().__init__(f"{server} did not start: {reason}{_tail(log)}")
        self.server = server
        self.reason = reason
        self.log = log


class FolderUnreachable(EmbeddedError):
    """The account that a server runs as cannot enter a folder it needs."""

    def __init__(self, folder: Path, barrier: Path, account: str) -> None:
        super().__init__(
            f"the account {account!r} cannot reach {folder}, because {barrier} is closed to it; "
            f"choose a folder outside, or open that one with chmod o+x"
        )
        self.folder = folder
        self.barrier = barrier
        self.account = account


class FolderInUse(EmbeddedError):
    """Another process that is still alive runs a server on this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another process is running a server on {folder}")
        self.folder = folder


def _tail(log: Path | None, lines: int = 12) -> str:
    if log is None or not log.is_file():
        return ""
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "".join(f"\n  | {line}" for line in text)

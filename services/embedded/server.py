"""What the embedded servers have in common: a folder, a lock on it, a port, and a life.

A folder belongs to one server at a time; the lock lasts until the last process of the server is
gone, also when its parent was killed. A server keeps its port from its first start on. It does
not watch for crashes: `running` tells, and `start` starts again.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from services.embedded.accounts import require_reachable, server_account
from services.embedded.cache import Progress, silent
from services.embedded.errors import FolderInUse, StartFailed
from services.embedded.prefix import Prefix, ensure_prefix
from services.embedded.processes import TetheredProcess, free_port

_PORT_ATTEMPTS = 3
_MARK = "citygauge-"


class EmbeddedServer(ABC):
    """One server on one folder. A folder that was not given is temporary: `stop` removes it.

    It is made `within` another one, by default the system's own for temporary files.
    """

    name: ClassVar[str]
    start_timeout: ClassVar[float] = 60.0
    predecessor_timeout = 30.0

    def __init__(
        self,
        folder: Path | None = None,
        *,
        within: Path | None = None,
        port: int | None = None,
        progress: Progress = silent,
    ) -> None:
        self._given_folder = folder.absolute() if folder else None
        self._within = within or Path(tempfile.gettempdir())
        self._port = port
        self._progress = progress
        self._account = server_account()
        self._folder: Path | None = None
        self._lock: int | None = None
        self._process: TetheredProcess | None = None

    @property
    def folder(self) -> Path:
        """The folder in use."""
        if self._folder is None:
            raise StartFailed(self.name, "it has not been started")
        return self._folder

    @property
    def port(self) -> int:
        """The loopback port, the same over all restarts of this object."""
        if self._port is None:
            raise StartFailed(self.name, "it has not been started")
        return self._port

    @property
    def log(self) -> Path:
        """Everything the server has said."""
        return self.folder / "server.log"

    @property
    def running(self) -> bool:
        """Whether any process of the server is there; a paused server runs."""
        return self._process is not None and self._process.running

    def start(self) -> Self:
        """Start the server and return when it answers; also after `kill` or a crash."""
        if self.running:
            return self
        prefix = ensure_prefix(self._progress)
        try:
            if self._lock is None:
                self._take_folder()
                self._prepare(prefix)
            self._launch(prefix)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server, release its folder, and remove that when it is temporary."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None and self._given_folder is None:
            shutil.rmtree(
                self._folder
            )  # before its lock is released, or another's sweep helps along
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._folder = None

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Stop politely and start again, on the same folder and port; `meanwhile` is done in between."""
        if self._process is not None:
            self._process.stop()
        meanwhile()
        self.start()

    def kill(self) -> None:
        """End every process of the server at once, as a loss of power would."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing answers."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Let a paused server go on."""
        if self._process is not None:
            self._process.resume()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self, prefix: Prefix) -> None:
        """Make the folder ready, once for each time that it is taken."""

    @abstractmethod
    def _spawn(self, prefix: Prefix, port: int, lock: int) -> TetheredProcess:
        """Start the server's process."""

    @abstractmethod
    def _answers(self, process: TetheredProcess) -> bool:
        """Whether the server is ready for its clients."""

    def _launch(self, prefix: Prefix) -> None:
        assert self._lock is not None
        fresh = self._port is None
        for attempt in range(_PORT_ATTEMPTS):
            port = free_port() if self._port is None else self._port
            process = self._spawn(prefix, port, self._lock)
            self._process, self._port = process, port
            try:
                process.wait_ready(partial(self._answers, process), self.start_timeout)
            except StartFailed:
                lost_the_port = b"ddress already in use" in process.said()
                if not (fresh and lost_the_port) or attempt == _PORT_ATTEMPTS - 1:
                    raise
                self._port = None
            else:
                return

    def _take_folder(self) -> None:
        if self._given_folder is None:
            _sweep_temporary_folders(self._within)
            folder, lock = _make_temporary_folder(self._within)
        else:
            folder = self._given_folder
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            lock = _take_lock(folder, self.predecessor_timeout)
        self._folder, self._lock = folder, lock
        if self._account is not None:
            folder.chmod(0o755)
        require_reachable(folder, self._account)


def kept_secret(path: Path) -> str:
    """A random password that stays with its folder, readable by its owner alone."""
    if not path.exists():
        with open(path, "x", opener=_for_owner_only) as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text()


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _take_lock(folder: Path, timeout: float) -> int:
    """Lock the folder; a server whose parent was killed gets the time to stop."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    never = threading.Event()
    deadline = time.monotonic() + timeout
    while not _try_lock(lock):
        if time.monotonic() > deadline:
            os.close(lock)
            raise FolderInUse(folder)
        never.wait(0.02)
    return lock


def _make_temporary_folder(within: Path) -> tuple[Path, int]:
    """A new folder and its lock; once more if another's sweep came between the two."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_MARK, dir=within))
        with contextlib.suppress(FileNotFoundError):
            lock = _take_lock(folder, timeout=10)
            if (folder / "lock").exists():
                return folder, lock
            os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep_temporary_folders(within: Path) -> None:
    """Remove what killed processes of this user have left: folders whose lock nobody holds."""
    for lock_file in within.glob(f"{_MARK}*/lock"):
        with contextlib.suppress(OSError):
            lock = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid() and _try_lock(lock):
                    shutil.rmtree(lock_file.parent)
            finally:
                os.close(lock)

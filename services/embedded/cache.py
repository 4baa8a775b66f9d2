"""Where things that were made once are kept, and how two processes make one thing only once.

What lies in the cache folder can be made again: removing it costs time, never data.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Progress = Callable[[str], None]
"""Takes one sentence for a person who waits."""


def silent(sentence: str) -> None:
    """A Progress for callers who have nobody to tell."""


def cache_folder() -> Path:
    """The folder of CITYGAUGE_CACHE_DIR; otherwise one that belongs to this user.

    Root's lies outside root's home, because its servers run as another account.
    """
    chosen = os.environ.get("CITYGAUGE_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/citygauge")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home).absolute() / "citygauge"


def make_cache_folder() -> None:
    """Make the folder if need be, open to the account of root's servers whatever the umask."""
    folder = cache_folder()
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file; the kernel releases it when this process ends, whatever ends it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def made_whole(final: Path) -> Iterator[Path]:
    """A folder to fill beside `final`, moved there only when the block ends without an error.

    What a killed process left half made is removed first, so the caller holds a lock. The parent
    of the folder is scratch space.
    """
    for leftover in final.parent.glob(f".{final.name}.*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".{final.name}.", dir=final.parent) as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        yield root
        root.rename(final)

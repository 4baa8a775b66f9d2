"""Keeps a prepared cluster in the cache folder, so that a temporary server begins as a copy of it.

Making a cluster and a schema costs a second of processor time at each start, and comes out the same each time. A copy
has the original's system identifier: nothing may be restored from one into another. The folder's name carries a digest
of what it is made of; when one is made, those that nobody has used for a day are removed. It refuses to start a server.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.embedded.cache import Progress, cache_folder, locked, made_whole, make_cache_folder
from services.embedded.prefix import Prefix

_FORM = 1  # raise it when clusters are made in another way
_UNUSED_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cluster holds from the beginning.

    Attributes:
        database: the name of a database.
        version: another one where `prepare` does something else.
        prepare: fills the database, by its address.
    """

    database: str
    version: str
    prepare: Callable[[str], None]


def kept_cluster(
    contents: Contents, prefix: Prefix, make: Callable[[Path], None], progress: Progress
) -> Path:
    """The folder of a stopped server with these contents; `make` fills it where there is none.

    Raises:
        OSError: the cache folder cannot be written.
    """
    made_of = repr((_FORM, prefix.root.name, prefix.packages, contents.database, contents.version))
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    final = cache_folder() / f"cluster-{digest}"
    if final.is_dir():
        _note_use(final)
        return final
    make_cache_folder()
    with locked(
        final.parent / "cluster.lock",
        lambda: progress("Waiting for another process that prepares the schema"),
    ):
        if not final.is_dir():
            with made_whole(final) as root:
                for folder in (root.parent, root):  # the server's account must reach it
                    folder.chmod(0o755)
                make(root)
            _forget_unused(final.parent)
    return final


def _note_use(cluster: Path) -> None:
    with contextlib.suppress(OSError):  # another's cache can be read, and not always be written
        os.utime(cluster)


def _forget_unused(cache: Path) -> None:
    """Each version of the code has its own; what an earlier one needed is made again when it is asked for."""
    for cluster in cache.glob("cluster-*"):
        if cluster.is_dir() and time.time() - cluster.stat().st_mtime > _UNUSED_S:
            shutil.rmtree(cluster, ignore_errors=True)

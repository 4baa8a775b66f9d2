"""Keeps a prepared cluster in the cache folder, so that a temporary server begins as a copy of it.

Making a cluster and a schema costs a second of processor time at each start, and comes out the same each time. A copy
has the original's system identifier: nothing may be restored from one into another. The folder's name carries a digest
of what it is made of; old ones may be removed. It refuses to start a server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.embedded.cache import Progress, cache_folder, locked, made_whole, make_cache_folder
from services.embedded.prefix import Prefix

_FORM = 1  # raise it when clusters are made in another way


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
    return final

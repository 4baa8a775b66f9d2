"""The first key: made when there is none, written into a file that only its owner reads, and shown once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from services.domain.access import Scope
from services.store.api_keys import ApiKeyRepository
from services.store.connection import connect, transaction

FIRST_KEY_NAME: Final = "first"


def ensure_first_key(database_url: str, path: Path | str) -> str | None:
    """Make an admin key when the database holds no key at all.

    Args:
        database_url: a migrated database.
        path: where the key is written, mode 0600; its folder is made, an older file is replaced.

    Returns:
        The secret, for showing it once; None when there are keys already.

    Raises:
        Unavailable: the database is away; nothing was written.
        OSError: the file cannot be written; no key was made.
    """
    path = Path(path)
    with (
        connect(database_url, "citygauge-keys", autocommit=True) as connection,
        transaction(connection),
    ):
        keys = ApiKeyRepository(connection)
        if not keys.claim_first():
            return None
        secret = keys.create(FIRST_KEY_NAME, (Scope.ADMIN.value,))
        _write(path, secret)
    return secret


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

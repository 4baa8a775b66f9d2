"""Keys of the API: made, checked, listed, revoked. The secret is shown once and stored nowhere, only its SHA-256.

A plain hash is enough because the secret is 256 random bits, not a password that could be guessed.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from services.domain.access import Scope
from services.domain.errors import InvalidInput, UnknownKey
from services.store.connection import Connection, transaction

PREFIX: Final = "cg_"
"""Every secret begins with it, so that scanners for leaked secrets can know one."""
_SECRET_BYTES: Final = 32
_LONGEST_NAME: Final = 100
_LONGEST_SECRET: Final = 200
_LOCK_KEY: Final = 0x6369_7479_6B65_7973  # "citykeys"

_COLUMNS: Final[LiteralString] = "id, name, scopes, created_at, revoked_at"
CREATE: Final[LiteralString] = """
    INSERT INTO api_key (id, name, hash, scopes) VALUES (%s, %s, %b, %s) ON CONFLICT DO NOTHING
"""
VERIFY: Final[LiteralString] = (
    f"SELECT {_COLUMNS} FROM api_key WHERE hash = %b AND revoked_at IS NULL"
)
GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM api_key WHERE id = %s"
LIST: Final[LiteralString] = f"SELECT {_COLUMNS} FROM api_key ORDER BY created_at, id LIMIT 10000"
REVOKE: Final[LiteralString] = (
    "UPDATE api_key SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL"
)
TAKE_TURNS: Final[LiteralString] = "SELECT pg_advisory_xact_lock(%s)"
ANY: Final[LiteralString] = "SELECT EXISTS (SELECT FROM api_key)"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. revoked_at: since when it opens nothing; None while it is valid."""

    id: uuid.UUID
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None


class ApiKeyRepository:
    """Keys over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def create(self, name: str, scopes: Sequence[Scope | str]) -> str:
        """Makes a key and returns its secret, which nobody can ask for again.

        Raises:
            InvalidInput: the name is empty, too long, holds characters that cannot be printed, or belongs to a valid
                key; or there is no scope, or a word that is none.
        """
        if (
            not name.strip()
            or name != name.strip()
            or len(name) > _LONGEST_NAME
            or not name.isprintable()
        ):
            raise InvalidInput("name", name, f"1 to {_LONGEST_NAME} printable characters")
        held = sorted({_scope(word) for word in scopes}, key=lambda scope: scope.rank)
        if not held:
            raise InvalidInput("scopes", list(scopes), f"at least one of {', '.join(Scope)}")
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        values = (uuid.uuid4(), name, _hash(secret), [scope.value for scope in held])
        if not self._conn.execute(CREATE, values).rowcount:
            raise InvalidInput("name", name, "a name that no valid key has")
        return secret

    def verify(self, secret: str) -> ApiKey | None:
        """The valid key of this secret, or None."""
        if not secret.startswith(PREFIX) or len(secret) > _LONGEST_SECRET:
            return None
        row = self._conn.execute(VERIFY, (_hash(secret),)).fetchone()
        return None if row is None else _key(row)

    def get(self, key_id: uuid.UUID | str) -> ApiKey | None:
        """The key of this id, revoked or not; None when there is none or the text is no id."""
        try:
            identity = key_id if isinstance(key_id, uuid.UUID) else uuid.UUID(key_id)
        except ValueError:
            return None
        row = self._conn.execute(GET, (identity,)).fetchone()
        return None if row is None else _key(row)

    def revoke(self, key_id: uuid.UUID) -> None:
        """Ends a key for good; its name is free again. Raises UnknownKey when it is not valid any more."""
        if not self._conn.execute(REVOKE, (key_id,)).rowcount:
            raise UnknownKey(str(key_id))

    def claim_first(self) -> bool:
        """Whether no key was ever made. Inside a transaction one caller after the other gets its answer."""
        with transaction(self._conn):
            self._conn.execute(TAKE_TURNS, (_LOCK_KEY,))
            row = self._conn.execute(ANY).fetchone()
        return row == (False,)

    def list(self) -> list[ApiKey]:
        """Every key, oldest first, the revoked ones too."""
        return [_key(row) for row in self._conn.execute(LIST)]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _scope(word: Scope | str) -> Scope:
    try:
        return Scope(word)
    except ValueError:
        raise InvalidInput("scopes", word, f"one of {', '.join(Scope)}") from None


def _key(row: Sequence[Any]) -> ApiKey:
    id_, name, scopes, created_at, revoked_at = row
    return ApiKey(id_, name, tuple(map(Scope, scopes)), created_at, revoked_at)

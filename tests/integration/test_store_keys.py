"""API keys and the detector's checkpoint against the real database."""

import hashlib
import threading
import uuid
from collections.abc import Iterator

import pytest

from services.domain.access import Scope
from services.domain.errors import InvalidInput, UnknownKey
from services.store import checkpoint
from services.store.api_keys import PREFIX, ApiKeyRepository
from services.store.connection import Connection, connect, transaction
from services.store.feed import Position
from tests.waiting import PATIENCE_S


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def keys_with_ada(shared_database_url: str) -> Iterator[ApiKeyRepository]:
    """Where Ada has a key, for tests that add none."""
    with connect(shared_database_url, "test", autocommit=True) as connection:
        repository = ApiKeyRepository(connection)
        repository.create("ada", ["read"])
        yield repository


@pytest.fixture
def keys(conn: Connection) -> ApiKeyRepository:
    return ApiKeyRepository(conn)


def test_secret_opens_until_it_is_revoked(keys: ApiKeyRepository) -> None:
    secret = keys.create("ada", ("operate", Scope.READ, "read"))
    other = keys.create("bob", [Scope.ADMIN])
    key = keys.verify(secret)
    assert key is not None
    assert (key.name, key.scopes, key.revoked_at) == ("ada", (Scope.READ, Scope.OPERATE), None)
    assert keys.get(key.id) == keys.get(str(key.id)) == key
    keys.revoke(key.id)
    assert keys.verify(secret) is None
    assert keys.verify(other) is not None
    revoked = keys.get(key.id)
    assert revoked is not None
    assert revoked.revoked_at is not None
    with pytest.raises(UnknownKey):
        keys.revoke(key.id)
    assert [k.name for k in keys.list()] == ["ada", "bob"]
    assert keys.create("ada", ["read"]) != secret


def test_secret_itself_is_not_stored(conn: Connection, keys: ApiKeyRepository) -> None:
    secret = keys.create("ada", ["read"])
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43
    (row,) = conn.execute("SELECT hash, api_key::text FROM api_key").fetchall()
    assert bytes(row[0]) == hashlib.sha256(secret.encode()).digest()
    assert secret not in row[1]


@pytest.mark.parametrize(
    "secret", ["", "cg_", "cg_nothing", "x", "cg_\ud800\x00", "cg_" + "x" * 10_000]
)
def test_wrong_secrets_open_nothing(keys_with_ada: ApiKeyRepository, secret: str) -> None:
    assert keys_with_ada.verify(secret) is None


@pytest.mark.parametrize("name", ["", " ", "a ", "a\x00b", "x" * 101, "ada"])
def test_names_are_checked(keys_with_ada: ApiKeyRepository, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        keys_with_ada.create(name, ["read"])


@pytest.mark.parametrize("scopes", [[], ["write"]])
def test_scopes_are_checked(keys_with_ada: ApiKeyRepository, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput, match="scopes"):
        keys_with_ada.create("bob", scopes)


def test_unknown_ids_are_nobody(keys_with_ada: ApiKeyRepository) -> None:
    assert keys_with_ada.get(uuid.uuid4()) is None
    assert keys_with_ada.get("x") is None


def test_first_key_is_made_once(database_url: str, conn: Connection) -> None:
    start = threading.Barrier(4)
    made: list[bool] = []

    def run() -> None:
        with connect(database_url, "api") as own:
            start.wait(PATIENCE_S)
            with transaction(own):
                first = ApiKeyRepository(own).claim_first()
                if first:
                    ApiKeyRepository(own).create("first", ["admin"])
                made.append(first)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(made) == [False, False, False, True]
    assert len(ApiKeyRepository(conn).list()) == 1


def test_checkpoint_moves_and_keeps_the_shards_that_did_not_change(conn: Connection) -> None:
    assert checkpoint.load(conn, "detect") is None
    checkpoint.save(conn, "detect", Position(-5, 7, 9), 11, {0: b"\x00a", 255: b"b" * 100_000})
    checkpoint.save(conn, "other", Position(1, 2, 3), 4, {0: b"o"})
    checkpoint.save(conn, "detect", Position(2**62, 2**40, 10), 12, {0: b"c", 3: b""})
    saved = checkpoint.load(conn, "detect")
    assert saved is not None
    assert (saved.position, saved.clock_us) == (Position(2**62, 2**40, 10), 12)
    assert saved.states == {0: b"c", 3: b"", 255: b"b" * 100_000}
    with pytest.raises(ZeroDivisionError), transaction(conn):  # noqa: PT012
        checkpoint.save(conn, "detect", Position(3, 3, 3), 13, {})
        _ = 1 / 0
    assert checkpoint.load(conn, "detect") == saved
    checkpoint.forget(conn, "detect")
    assert checkpoint.load(conn, "detect") is None
    assert checkpoint.load(conn, "other") is not None

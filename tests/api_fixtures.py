"""A running API and clients with keys of each scope: on a fresh database, or shared by tests that disturb no other."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api_server import Api, new_key, serving

QUICK = {"stream_heartbeat_s": 0.2, "stream_poll_s": 0.5}


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    """The API, as it is by default but for quick heartbeats."""
    with serving(database_url, **QUICK) as running:
        yield running


@pytest.fixture
def reader(api: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with api.client(new_key(api.database_url, "read", name="reader")) as client:
        yield client


@pytest.fixture
def operator(api: Api) -> Iterator[httpx.Client]:
    """A client that may operate alerts, named Ana Torres."""
    with api.client(new_key(api.database_url, "operate")) as client:
        yield client


@pytest.fixture(scope="module")
def shared_api(shared_database_url: str) -> Iterator[Api]:
    """The API on the database that tests of a module share."""
    with serving(shared_database_url, **QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def shared_reader(shared_api: Api) -> Iterator[httpx.Client]:
    """A client of it that may read."""
    with shared_api.client(new_key(shared_api.database_url, "read", name="reader")) as client:
        yield client


@pytest.fixture(scope="module")
def shared_operator(shared_api: Api) -> Iterator[httpx.Client]:
    """A client of it that may operate alerts, named Ana Torres."""
    with shared_api.client(new_key(shared_api.database_url, "operate")) as client:
        yield client

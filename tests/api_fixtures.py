"""A running API on a fresh database, and clients with keys of each scope."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api_server import Api, new_key, serving


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    """The API, as it is by default but for quick heartbeats."""
    with serving(database_url, stream_heartbeat_s=0.2, stream_poll_s=0.5) as running:
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

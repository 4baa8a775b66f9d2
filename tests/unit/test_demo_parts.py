"""The demo's servers: the broker need not wait for the database, and what is starting is stopped, too."""

import threading
from pathlib import Path
from typing import Self

import pytest

from services.cli import demo_parts
from services.cli.settings import Sources
from tests.waiting import PATIENCE_S


class SlowDatabase:
    """A server that is ready when a test says so."""

    ready: threading.Event
    ends: list[str]

    def __init__(self, *given: object, **named: object) -> None:
        pass

    def __enter__(self) -> Self:
        assert self.ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *given: object) -> None:
        self.ends.append("database")

    def create(self, name: str) -> str:
        return f"postgresql://here/{name}"


class Broker:
    """A broker that is ready at once."""

    ends: list[str]

    def __init__(self, *given: object, **named: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *given: object) -> None:
        self.ends.append("broker")
        SlowDatabase.ready.set()

    def url(self, user: str = "service") -> str:
        return f"mqtt://{user}@here"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> demo_parts.Servers:
    SlowDatabase.ready, SlowDatabase.ends = threading.Event(), []
    Broker.ends = SlowDatabase.ends
    monkeypatch.setattr(demo_parts, "EmbeddedDatabase", SlowDatabase)
    monkeypatch.setattr(demo_parts, "EmbeddedBroker", Broker)
    monkeypatch.setattr(demo_parts, "ensure_prefix", lambda report: None)
    monkeypatch.setattr(demo_parts, "migrate", lambda url: [])
    return demo_parts.Servers(Sources({}, tmp_path), None, lambda sentence: None)


def test_the_broker_answers_while_the_database_is_prepared(servers: demo_parts.Servers) -> None:
    with servers:
        assert servers.device_mqtt_url == "mqtt://device@here"
        assert not SlowDatabase.ready.is_set()
        SlowDatabase.ready.set()
        assert servers.database() == "postgresql://here/citygauge"
    assert SlowDatabase.ends == ["broker", "database"]


def test_a_database_that_is_starting_is_stopped(servers: demo_parts.Servers) -> None:
    with pytest.raises(KeyboardInterrupt), servers:
        raise KeyboardInterrupt
    assert SlowDatabase.ends == ["broker", "database"]

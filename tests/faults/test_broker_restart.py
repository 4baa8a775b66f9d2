"""A broker that restarts while no worker is there: mosquitto keeps ordinary subscriptions and forgets shared ones."""

from collections.abc import Iterator

import pytest

from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from tests.ingest_worker import Publisher, WorkerProcess, committed, register
from tests.waiting import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def url(database_url: str) -> str:
    register(database_url)
    return database_url


@pytest.fixture
def device(own_broker: EmbeddedBroker) -> Iterator[Publisher]:
    with Publisher(own_broker.url(DEVICE_USER), "device") as publisher:
        yield publisher


def visit(url: str, broker: EmbeddedBroker, **settings: object) -> None:
    """A worker comes, subscribes and leaves orderly."""
    with WorkerProcess(url, broker.url(), **settings) as worker:
        wait_until(lambda: worker.said("broker connected"), what="the subscription")
        worker.stop()


def test_what_is_published_after_a_restart_of_the_broker_and_before_ours_is_kept(
    own_broker: EmbeddedBroker, url: str, device: Publisher
) -> None:
    visit(url, own_broker, share_group="")
    own_broker.restart()
    for second in range(20):
        device.reading("m1", second)
    device.settle()
    with WorkerProcess(url, own_broker.url(), share_group=""):
        assert committed(url, 20).stored == 20


@pytest.mark.parametrize("groups", [("citygauge", ""), ("", "citygauge")])
def test_who_changes_the_kind_of_subscription_gets_each_message_once(
    own_broker: EmbeddedBroker, url: str, device: Publisher, groups: tuple[str, str]
) -> None:
    visit(url, own_broker, share_group=groups[0])
    for second in range(10):
        device.reading("m1", second)
    device.settle()
    with WorkerProcess(url, own_broker.url(), share_group=groups[1]) as worker:
        wait_until(lambda: worker.said("broker connected"), what="the subscription")
        for second in range(10, 20):
            device.reading("m1", second)
        device.settle()
        found = committed(url, 20)
        worker.stop()
    assert (found.received, found.stored, found.duplicate) == (20, 20, 0)

"""Doctor on real brokers and databases, of which some are set badly."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.cli import broker_makes, doctor_broker, doctor_database
from services.cli.broker_probe import probe
from services.cli.doctor import examine
from services.cli.finding import Finding, Health
from services.cli.settings import Sources
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import BrokerConfiguration
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix
from services.store.connection import connect
from services.store.edition import edition, installed_version
from services.store.inspection import inspect
from tests.waiting import wait_until

EXPIRY_S = 7_200


class BadlySet(EmbeddedBroker):
    """A broker with some of its settings as mosquitto has them by default."""

    changes: Mapping[str, int] = {}

    @property
    def configuration(self) -> BrokerConfiguration:
        return replace(super().configuration, **self.changes)  # type: ignore[arg-type]


@contextmanager
def badly_set(**changes: int) -> Iterator[EmbeddedBroker]:
    broker = BadlySet()
    broker.changes = changes
    with broker:
        yield broker


def of(broker: EmbeddedBroker, messages: int = 500, share_group: str = "") -> dict[str, Finding]:
    found = probe(broker.url(), messages, EXPIRY_S)
    judged = doctor_broker.judge(
        found, share_group=share_group, session_expiry_s=EXPIRY_S, largest_bytes=262_144
    )
    return {each.what: each for each in judged}


def test_our_own_broker_is_well_and_keeps_no_session_of_doctor(own_broker: EmbeddedBroker) -> None:
    findings = of(own_broker)
    assert {each.health for each in findings.values()} == {Health.OK}
    assert "kept all of 500" in findings["broker: queue"].said
    assert "delivers 500 messages" in findings["broker: delivery window"].said
    assert findings["broker: dropped messages"].said == "none since its start"
    assert "mosquitto" in findings["MQTT broker"].said
    snapshot = own_broker.folder / "data" / "mosquitto.db"
    before = time.time()

    def forgotten() -> (
        bool
    ):  # asked again: the broker may read doctor's last farewell behind the signal
        own_broker.save()
        fresh = snapshot.exists() and snapshot.stat().st_mtime >= before
        return fresh and b"citygauge-doctor" not in snapshot.read_bytes()

    wait_until(forgotten, what="a snapshot without doctor's sessions")


def test_a_share_group_on_mosquitto_is_a_risk(broker: EmbeddedBroker) -> None:
    finding = of(broker, 0, share_group="city")["broker: shared subscriptions"]
    assert finding.health is Health.WARN
    assert "CITYGAUGE_INGEST_SHARE_GROUP" in finding.remedy


def test_a_small_queue_is_found_although_the_broker_says_nothing(prefix: Prefix) -> None:
    with badly_set(max_queued_messages=100) as broker:
        finding = of(broker)["broker: queue"]

        def dropped() -> Finding | None:  # mosquitto counts anew every ten seconds
            said = of(broker, 0)["broker: dropped messages"]
            return said if said.health is Health.WARN else None

        seen = wait_until(dropped, what="the broker's count of what it has dropped")
    assert finding.health is Health.FAIL
    assert "kept 1" in finding.said
    assert "max_queued_messages" in finding.remedy
    assert seen.said.endswith("since its start: the queue of some client was full")
    assert "max_queued_messages" in seen.remedy


def test_small_windows_and_small_packets(prefix: Prefix) -> None:
    with badly_set(max_inflight_messages=20, message_size_limit_bytes=1_000) as broker:
        findings = of(broker, 0)
    assert findings["broker: receive maximum"].health is Health.WARN
    assert "max_inflight_messages 65535" in findings["broker: receive maximum"].remedy


def test_a_user_who_may_not_subscribe(broker: EmbeddedBroker) -> None:
    found = probe(broker.url(), 10, EXPIRY_S)
    refused = replace(found, subscribed=False)
    judged = doctor_broker.judge(
        refused, share_group="", session_expiry_s=EXPIRY_S, largest_bytes=1
    )
    assert Health.FAIL in {each.health for each in judged}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"shared": False}, "broker: shared subscriptions"),
        ({"session_expiry_s": 60}, "broker: session expiry"),
        ({"largest_bytes": 1_000}, "broker: largest packet"),
        ({"refused": 3}, "broker: queue"),
        ({"resumed": False}, "broker: queue"),
    ],
)
def test_what_other_brokers_may_say(
    broker: EmbeddedBroker, change: dict[str, int], what: str
) -> None:
    found = replace(probe(broker.url(), 10, EXPIRY_S), software="", **change)  # type: ignore[arg-type]
    judged = {
        each.what: each
        for each in doctor_broker.judge(
            found, share_group="city", session_expiry_s=EXPIRY_S, largest_bytes=262_144
        )
    }
    assert judged[what].health is not Health.OK
    assert all(kind.value in judged[what].remedy for kind in broker_makes.Broker)


def test_a_database_that_forgets_commits_fails(database_url: str, prefix: Prefix) -> None:
    with connect(database_url, "test") as conn:
        arguments = inspect(conn), edition(conn), installed_version(conn)
    findings = {each.what: each for each in doctor_database.judge(*arguments)}
    assert findings["database: fsync"].health is Health.FAIL  # the tests' server does without
    assert findings["database: full_page_writes"].health is Health.FAIL
    assert findings["database: synchronous_commit"].health is Health.OK
    assert findings["database"].health is Health.OK
    assert "ALTER SYSTEM SET fsync" in findings["database: fsync"].remedy


def test_a_database_as_we_set_it_is_well(own_database: EmbeddedDatabase) -> None:
    with connect(own_database.create(), "test") as conn:
        arguments = inspect(conn), edition(conn), installed_version(conn)
    assert {each.health for each in doctor_database.judge(*arguments)} == {Health.OK}


def test_the_command_looks_at_both(
    broker: EmbeddedBroker, database_url: str, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": database_url, "MQTT_URL": broker.url()}
    findings = {each.what for each in examine(Sources(environment, tmp_path), 50)}
    assert {"schema", "database: fsync", "broker: queue", "broker: session expiry"} <= findings

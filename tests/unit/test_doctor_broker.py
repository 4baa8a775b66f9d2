"""What doctor says of brokers that do not run here, by what their documentation and sources say that they grant.

Recorded facts: EMQX (apps/emqx/src/emqx_sys.erl: name and version on two topics; max_inflight 32, max_mqueue_len 1000),
HiveMQ CE (server-receive-maximum 10, a delivery window of 50 whatever the client asks for, max-queue-size 1000, no
$SYS), VerneMQ (vmq_server.schema: max_inflight_messages 20, max_offline_messages 1000, no version on $SYS).
"""

from dataclasses import replace

import pytest

from services.cli.broker_makes import REMEDIES, Broker, Setting, kind_of
from services.cli.broker_probe import Granted
from services.cli.doctor_broker import judge
from services.cli.finding import Finding, Health

WEEK_S = 604_800
WELL = Granted(
    software="",
    shared=True,
    receive_maximum=65_535,
    session_expiry_s=WEEK_S,
    largest_bytes=1_048_576,
    subscribed=True,
    sent=3_000,
    resumed=True,
    kept=3_000,
    window=3_000,
)
AS_INSTALLED = {
    Broker.EMQX: replace(WELL, software="EMQX 5.8.6", receive_maximum=32, kept=1_032, window=32),
    Broker.HIVEMQ: replace(WELL, receive_maximum=10, kept=1_000, window=50),
    Broker.VERNEMQ: replace(WELL, kept=1_000, window=20),
    Broker.MOSQUITTO: replace(
        WELL, software="mosquitto version 2.0.21", receive_maximum=20, kept=1_000, window=1_000
    ),
}


def findings(
    found: Granted, *, share_group: str = "", make: Broker | None = None
) -> dict[str, Finding]:
    judged = judge(
        found,
        share_group=share_group,
        session_expiry_s=WEEK_S,
        largest_bytes=262_144,
        make=make,
    )
    return {each.what: each for each in judged}


@pytest.mark.parametrize("make", Broker)
def test_a_broker_as_it_is_installed(make: Broker) -> None:
    """Its queue is too small, and so are its windows; the remedy has the names of its own settings only."""
    found = AS_INSTALLED[make]
    judged = findings(found, make=make)
    sick = {what for what, each in judged.items() if each.health is not Health.OK}
    small = {"broker: receive maximum"} if found.receive_maximum < 100 else set()
    small |= {"broker: delivery window"} if found.window < 100 else set()
    assert sick == small | {"broker: queue"}
    assert f"it kept {found.kept:,}" in judged["broker: queue"].said
    for what in sick:
        assert judged[what].remedy.startswith(f"{make.value}: ")
        assert not any(other.value + ":" in judged[what].remedy for other in set(Broker) - {make})


@pytest.mark.parametrize("make", Broker)
def test_a_broker_that_is_set_as_doctor_says_is_well(make: Broker) -> None:
    judged = findings(replace(WELL, software=AS_INSTALLED[make].software), make=make)
    assert {each.health for each in judged.values()} == {Health.OK}


def test_the_make_is_known_by_what_the_broker_says() -> None:
    assert kind_of("EMQX Enterprise 5.8.6") is Broker.EMQX
    assert kind_of("mosquitto version 2.0.21") is Broker.MOSQUITTO
    assert kind_of("hivemq") is Broker.HIVEMQ
    assert kind_of("") is None
    unknown = findings(replace(WELL, window=20))["broker: delivery window"]
    assert all(make.value in unknown.remedy for make in Broker)


@pytest.mark.parametrize(
    ("software", "health"),
    [("EMQX 5.8.6", Health.WARN), ("EMQX", Health.WARN), ("EMQX Enterprise 6.1.0", Health.OK)],
)
def test_a_share_group_on_emqx_needs_its_sixth_version(software: str, health: Health) -> None:
    found = findings(replace(WELL, software=software), share_group="city")
    assert found["broker: shared subscriptions"].health is health


def test_a_small_queue_hides_no_window() -> None:
    """A broker that kept fifty can have shown no larger window."""
    assert (
        findings(replace(WELL, kept=50, window=50))["broker: delivery window"].health is Health.OK
    )
    assert "broker: delivery window" not in findings(replace(WELL, kept=0, window=0))


def test_every_setting_has_its_name_in_every_broker() -> None:
    assert set(REMEDIES) == set(Setting)
    for words in REMEDIES.values():
        assert set(words) == set(Broker)

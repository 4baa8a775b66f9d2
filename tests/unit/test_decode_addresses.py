"""Addresses of brokers, subscriptions and pauses: what the connection is made of."""

import pytest

from services.domain.broker_address import BrokerAddress
from services.domain.errors import SettingError
from services.ingest.settings import IngestSettings
from services.ingest.subscription import Backoff, client_id_of, shared


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host", BrokerAddress("host", 1883, False, None, None, None)),
        ("mqtts://host", BrokerAddress("host", 8883, True, None, None, None)),
        ("mqtt://u%40x:p%2Fw@h:1?x=1", BrokerAddress("h", 1, False, "u@x", "p/w", None)),
        ("mqtts://[::1]:99?ca=/a/b.pem", BrokerAddress("::1", 99, True, None, None, "/a/b.pem")),
    ],
)
def test_addresses(url: str, expected: BrokerAddress) -> None:
    assert BrokerAddress.parse(url) == expected


@pytest.mark.parametrize("url", ["", "host:1883", "http://host", "mqtt://", "mqtt://u:secret@h:x"])
def test_no_address_is_a_setting_error_without_the_secret(url: str) -> None:
    with pytest.raises(SettingError) as raised:
        BrokerAddress.parse(url)
    assert "MQTT_URL" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_subscriptions_of_a_group_and_of_nobody() -> None:
    topics = IngestSettings().topics
    assert shared("g", topics) == ("$share/g/citygauge/v1/+/+/reading",)
    assert shared("", topics) == ("citygauge/v1/+/+/reading",)
    assert client_id_of("a") != client_id_of("b")


def test_pauses_double_up_to_their_limit_and_start_again() -> None:
    backoff = Backoff(1.0, 10.0)
    pauses = [backoff.next_s() for _ in range(60)]
    for pause, full in zip(pauses, [1.0, 2.0, 4.0, 8.0, *[10.0] * 56], strict=True):
        assert full / 2 <= pause <= full
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_every_setting_says_what_it_is() -> None:
    for name, field in IngestSettings.model_fields.items():
        assert field.description, name

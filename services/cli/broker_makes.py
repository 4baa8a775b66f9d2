"""The makes of brokers, and what each calls the settings on which the services rely.

The names are from their documentation and sources: mosquitto 2.0 and 2.1, EMQX 5.8 to 6, HiveMQ Community Edition
2025, VerneMQ 2. It refuses to judge: what was found is doctor_broker.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Broker(Enum):
    """The broker's make, by what it says of itself."""

    MOSQUITTO = "mosquitto"
    EMQX = "EMQX"
    HIVEMQ = "HiveMQ"
    VERNEMQ = "VerneMQ"


class Setting(Enum):
    """What can be set too low."""

    QUEUE = "queue"
    IN_FLIGHT = "receive maximum"
    WINDOW = "delivery window"
    EXPIRY = "session expiry"
    PACKET = "packet size"
    SHARED = "shared subscriptions"
    DURABLE = "durable queue"


REMEDIES: Final[Mapping[Setting, Mapping[Broker, str]]] = {
    Setting.QUEUE: {
        Broker.MOSQUITTO: "max_queued_messages 5000000, max_queued_bytes 1073741824",
        Broker.EMQX: "mqtt.max_mqueue_len = infinity (1000 by default), or durable_sessions.enable = true",
        Broker.HIVEMQ: "<mqtt><queued-messages><max-queue-size>5000000 (1000 by default, then it discards)",
        Broker.VERNEMQ: "max_offline_messages = -1, max_online_messages = -1 (1000 by default)",
    },
    Setting.IN_FLIGHT: {
        Broker.MOSQUITTO: "max_inflight_messages 65535",
        Broker.EMQX: "mqtt.max_inflight = 65535 (32 by default)",
        Broker.HIVEMQ: "<mqtt><receive-maximum><server-receive-maximum>65535 (10 by default)",
        Broker.VERNEMQ: "receive_max_broker = 65535",
    },
    Setting.WINDOW: {
        Broker.MOSQUITTO: "max_inflight_messages 65535, max_inflight_bytes 0",
        Broker.EMQX: "mqtt.max_inflight = 65535 (32 by default, whatever the client asks for)",
        Broker.HIVEMQ: "fixed at 50 in the Community Edition: let gateways put many readings into a message, or run "
        "several workers",
        Broker.VERNEMQ: "max_inflight_messages = 0 (20 by default), receive_max_client = 65535",
    },
    Setting.EXPIRY: {
        Broker.MOSQUITTO: "persistent_client_expiration 14d",
        Broker.EMQX: "it grants an MQTT 5 client what it asks for; look at the zone of this listener",
        Broker.HIVEMQ: "<mqtt><session-expiry><max-interval>1209600",
        Broker.VERNEMQ: "persistent_client_expiration = 2w (never by default)",
    },
    Setting.PACKET: {
        Broker.MOSQUITTO: "max_packet_size 1048576",
        Broker.EMQX: "mqtt.max_packet_size = 1MB",
        Broker.HIVEMQ: "<mqtt><packets><max-packet-size>1048576",
        Broker.VERNEMQ: "m5_max_packet_size = 1048576, max_message_size = 1048576",
    },
    Setting.SHARED: {
        Broker.MOSQUITTO: "leave CITYGAUGE_INGEST_SHARE_GROUP empty and run one worker, or use mosquitto 2.1 with its "
        "plugin persist_sqlite, which keeps them",
        Broker.EMQX: "mqtt.shared_subscription = true; before EMQX 6 leave CITYGAUGE_INGEST_SHARE_GROUP empty, because "
        "its durable sessions know no shared subscriptions",
        Broker.HIVEMQ: "<mqtt><shared-subscriptions><enabled>true",
        Broker.VERNEMQ: "allow them, or leave CITYGAUGE_INGEST_SHARE_GROUP empty and run one worker",
    },
    Setting.DURABLE: {
        Broker.MOSQUITTO: "persistence true, persistence_location, autosave_interval 10; from 2.1 on better its plugin "
        "persist_sqlite with plugin_opt_flush_period 1; and docs/decisions/0016",
        Broker.EMQX: "durable_sessions.enable = true (the default keeps queues in memory), and "
        "durable_sessions.message_retention_period not below CITYGAUGE_INGEST_SESSION_EXPIRY_S",
        Broker.HIVEMQ: "<persistence><mode>file (the default; what a power cut may cost is about the last second)",
        Broker.VERNEMQ: "nothing: queues are on disk by default",
    },
}
"""What to write in which broker's configuration."""


def kind_of(software: str) -> Broker | None:
    """The make, by the version that the broker publishes."""
    return next((each for each in Broker if each.value.lower() in software.lower()), None)


def remedy(setting: Setting, kind: Broker | None) -> str:
    """What to set, in the words of that broker, or of all of them where the make is not known."""
    words = REMEDIES[setting]
    if kind is not None:
        return f"{kind.value}: {words[kind]}."
    return "; ".join(f"{each.value}: {text}" for each, text in words.items()) + "."

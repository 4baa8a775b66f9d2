"""What doctor says of a broker that somebody else runs: what it grants, why it matters, and the setting's name there.

The names are those of mosquitto, EMQX, HiveMQ and VerneMQ; for any other broker all four are said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from services.cli.broker_probe import Granted
from services.cli.finding import Finding, Health

_IN_FLIGHT: Final = 100
_DAY_S: Final = 86_400


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
    EXPIRY = "session expiry"
    PACKET = "packet size"
    SHARED = "shared subscriptions"
    DURABLE = "durable queue"


REMEDIES: Final[Mapping[Setting, Mapping[Broker, str]]] = {
    Setting.QUEUE: {
        Broker.MOSQUITTO: "max_queued_messages 2000000, max_queued_bytes 536870912",
        Broker.EMQX: "mqtt.max_mqueue_len = infinity, or durable_sessions.enable = true",
        Broker.HIVEMQ: "<mqtt><queued-messages><max-queue-size>2000000",
        Broker.VERNEMQ: "max_offline_messages = -1, max_online_messages = -1",
    },
    Setting.IN_FLIGHT: {
        Broker.MOSQUITTO: "max_inflight_messages 65535",
        Broker.EMQX: "mqtt.max_inflight = 65535",
        Broker.HIVEMQ: "<mqtt><receive-maximum><server-receive-maximum>65535",
        Broker.VERNEMQ: "receive_max_broker = 65535, max_inflight_messages = 0",
    },
    Setting.EXPIRY: {
        Broker.MOSQUITTO: "persistent_client_expiration 14d",
        Broker.EMQX: "mqtt.session_expiry_interval = 14d",
        Broker.HIVEMQ: "<mqtt><session-expiry><max-interval>1209600",
        Broker.VERNEMQ: "persistent_client_expiration = 2w",
    },
    Setting.PACKET: {
        Broker.MOSQUITTO: "max_packet_size 1048576",
        Broker.EMQX: "mqtt.max_packet_size = 1MB",
        Broker.HIVEMQ: "<mqtt><packets><max-packet-size>1048576",
        Broker.VERNEMQ: "m5_max_packet_size = 1048576, max_message_size = 1048576",
    },
    Setting.SHARED: {
        Broker.MOSQUITTO: "leave CITYGAUGE_INGEST_SHARE_GROUP empty and run one worker",
        Broker.EMQX: "mqtt.shared_subscription = true",
        Broker.HIVEMQ: "<mqtt><shared-subscriptions><enabled>true",
        Broker.VERNEMQ: "allow them, or leave CITYGAUGE_INGEST_SHARE_GROUP empty and run one worker",
    },
    Setting.DURABLE: {
        Broker.MOSQUITTO: "persistence true, persistence_location, autosave_interval 10; and docs/decisions/0016",
        Broker.EMQX: "durable_sessions.enable = true (the default keeps queues in memory)",
        Broker.HIVEMQ: "<persistence><mode>file (the default)",
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


def judge(
    found: Granted, *, share_group: str, session_expiry_s: int, largest_bytes: int
) -> Iterator[Finding]:
    """Every finding about the broker."""
    kind = kind_of(found.software)
    yield Finding("MQTT broker", Health.OK, f"speaks MQTT 5 ({found.software or 'make unknown'})")
    if not found.subscribed:
        yield Finding(
            "broker: rights",
            Health.FAIL,
            "this user may not subscribe",
            "Let the user of MQTT_URL read every topic that ingest subscribes to.",
        )
    yield _shared(found, kind, share_group)
    yield _at_least(
        "broker: receive maximum",
        found.receive_maximum,
        _IN_FLIGHT,
        "messages",
        "a batch is taken before any of it is acknowledged: a small window throttles the stream",
        remedy(Setting.IN_FLIGHT, kind),
        Health.WARN,
    )
    yield _at_least(
        "broker: session expiry",
        found.session_expiry_s,
        min(session_expiry_s, _DAY_S),
        "s",
        "an ingest that is away for longer loses its queue",
        remedy(Setting.EXPIRY, kind),
        Health.FAIL,
    )
    yield _at_least(
        "broker: largest packet",
        found.largest_bytes,
        largest_bytes,
        "bytes",
        "a larger message never reaches ingest",
        remedy(Setting.PACKET, kind),
        Health.WARN,
    )
    if found.sent or found.refused:
        yield _queue(found, kind)
        yield Finding(
            "broker: restart",
            Health.OK,
            "whether its queues survive a restart or a kill cannot be seen from here",
            remedy(Setting.DURABLE, kind),
            "what the broker forgets, it has acknowledged to the device",
        )


def _shared(found: Granted, kind: Broker | None, group: str) -> Finding:
    what = "broker: shared subscriptions"
    if not found.shared and group:
        return Finding(
            what,
            Health.FAIL,
            "not available, and a share group is set",
            remedy(Setting.SHARED, kind),
            "workers of a share group divide the messages",
        )
    if group and kind is Broker.MOSQUITTO:
        return Finding(
            what,
            Health.WARN,
            f"available, and the share group {group} is set",
            remedy(Setting.SHARED, kind),
            "mosquitto forgets shared subscriptions when it restarts: what is published between its start and our "
            "return is acknowledged and lost",
        )
    said = "available" if found.shared else "not available, and not needed"
    return Finding(what, Health.OK, said, why="several workers would divide the messages by them")


def _at_least(
    what: str, value: int, least: int, unit: str, why: str, cure: str, bad: Health
) -> Finding:
    good = value >= least
    said = f"{value:,} {unit}" if good else f"{value:,} {unit}, needed are {least:,}"
    return Finding(what, Health.OK if good else bad, said, "" if good else cure, why)


def _queue(found: Granted, kind: Broker | None) -> Finding:
    why = "while ingest or the database is away, the broker's queue is where the readings are"
    cure = remedy(Setting.QUEUE, kind)
    tried = found.sent + found.refused
    if found.refused:
        said = f"of {tried:,} messages for a session that was away it refused {found.refused:,}"
        return Finding("broker: queue", Health.FAIL, said, cure, why)
    if not found.resumed or found.unheard == found.sent:
        said = "a session that was away for a moment was forgotten, with all of its messages"
        return Finding("broker: queue", Health.FAIL, said, remedy(Setting.EXPIRY, kind), why)
    if found.kept < found.sent:
        said = f"of {found.sent:,} messages for a session that was away it kept {found.kept:,}, and said nothing"
        return Finding("broker: queue", Health.FAIL, said, cure, why)
    said = (
        f"kept all of {found.sent:,} messages for a session that was away; its limit may be higher"
    )
    return Finding("broker: queue", Health.OK, said, why=why)

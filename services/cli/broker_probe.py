"""Finds out what a broker grants and keeps, by doing it: a session that is away while messages come, and comes back.

It publishes a bounded number of small messages to a topic of its own that no service reads, and leaves no session
behind. It does not judge: see doctor_broker.py. What no client can see (whether queues survive a restart of the
broker) it does not guess.
"""

from __future__ import annotations

import queue
import secrets
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.domain.broker_address import BrokerAddress
from services.domain.errors import Unavailable

_ANSWER_S: Final = 10.0
_QUIET_S: Final = 1.5
_PAYLOAD: Final = bytes(64)
_WINDOW: Final = 200
_LARGEST: Final = 268_435_455
_VERSION_TOPICS: Final = (
    ("$SYS/broker/version",),  # mosquitto: its name and version
    ("$SYS/brokers/+/sysdescr", "$SYS/brokers/+/version"),  # EMQX: its name; its version
)
_DROPPED_TOPIC: Final = "$SYS/broker/publish/messages/dropped"  # mosquitto's


@dataclass(frozen=True, slots=True)
class Granted:
    """What the broker says and does.

    Attributes:
        software: what it calls itself, "" if it does not say.
        shared: shared subscriptions are available.
        receive_maximum: unacknowledged messages that it takes from one client.
        session_expiry_s: how long it keeps a session that is away.
        largest_bytes: of a packet.
        subscribed: it lets this user subscribe; published: and publish.
        dropped: messages that it has dropped since its start because a client's queue was full; None where it does
            not say.
        sent: messages of the probe that it acknowledged; refused: that it did not take; unheard: for which it said
            that there is no subscriber, although the session that is away has subscribed.
        resumed: it knew the session when it came back; kept: messages that it then delivered.
        window: how many of them came before one was acknowledged.
    """

    software: str
    shared: bool
    receive_maximum: int
    session_expiry_s: int
    largest_bytes: int
    subscribed: bool
    dropped: int | None = None
    sent: int = 0
    refused: int = 0
    unheard: int = 0
    resumed: bool = False
    kept: int = 0
    window: int = 0


def probe(url: str, messages: int, session_expiry_s: int) -> Granted:
    """Ask, and try with so many messages (0: only ask).

    Raises:
        Unavailable: the broker does not answer, refuses the user, or does not speak MQTT 5.
        SettingError: `url` is no address, or the certificates that it names cannot be used.
    """
    name = secrets.token_hex(6)
    topic = f"citygauge-doctor/{name}"
    session = _Client(url, f"citygauge-doctor-{name}", clean=True, expiry_s=session_expiry_s)
    try:
        properties = session.granted
        subscribed = session.subscribe(topic, 1)
        software = session.version()
        found = Granted(
            software,
            bool(getattr(properties, "SharedSubscriptionAvailable", 1)),
            getattr(properties, "ReceiveMaximum", 65_535),
            getattr(properties, "SessionExpiryInterval", session_expiry_s),
            getattr(properties, "MaximumPacketSize", _LARGEST),
            subscribed,
            session.dropped(),
        )
    finally:
        session.leave()
    if not messages or not subscribed:
        _Client(url, session.name, clean=True, expiry_s=0).leave()
        return found
    try:
        sent, refused, unheard = _publish(url, f"{session.name}-p", topic, messages)
    finally:
        back = _Client(url, session.name, clean=False, expiry_s=0)
        kept, window = back.count(messages)
        back.leave()
    return replace(
        found,
        sent=sent,
        refused=refused,
        unheard=unheard,
        resumed=back.resumed,
        kept=kept,
        window=window,
    )


def _publish(url: str, name: str, topic: str, messages: int) -> tuple[int, int, int]:
    client = _Client(url, name, clean=True, expiry_s=0)
    codes: list[int] = []
    try:
        window = min(_WINDOW, getattr(client.granted, "ReceiveMaximum", 65_535))
        for number in range(messages):
            client.publish(topic)
            while number + 1 - len(codes) >= window:
                codes.append(client.code())
        while len(codes) < messages:
            codes.append(client.code())
    finally:
        client.leave()
    failed = sum(code >= 0x80 for code in codes)
    return len(codes) - failed, failed, codes.count(0x10)


class _Client:
    """One short connection, in which every answer is waited for."""

    def __init__(self, url: str, name: str, *, clean: bool, expiry_s: int) -> None:
        address = BrokerAddress.parse(url)
        self.name, self._place = name, address.name
        self._answers: queue.Queue[tuple[str, Any, Any]] = queue.Queue()
        self._codes: queue.Queue[int] = queue.Queue()
        self._messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, manual_ack=True
        )
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=address.ca))
            except OSError as error:
                raise address.untrusted(error) from error
        client.max_inflight_messages_set(_WINDOW)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._answers.put(("failed", None, None))
        client.on_subscribe = lambda c, d, mid, codes, p: self._answers.put(("suback", codes, None))
        client.on_publish = lambda c, d, mid, code, p: self._codes.put(code.value)
        client.on_message = lambda c, d, message: self._messages.put(message)
        wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wanted.SessionExpiryInterval = expiry_s
        wanted.ReceiveMaximum = 65_535
        self._client = client
        try:
            client.connect(
                address.host, address.port, keepalive=30, clean_start=clean, properties=wanted
            )
        except OSError as error:
            raise Unavailable("the MQTT broker", f"{error} at {self._place}") from error
        client.loop_start()
        try:
            self.resumed, self.granted = self._await_connack()
        except BaseException:
            client.loop_stop()
            raise

    def subscribe(self, topic: str, qos: int) -> bool:
        """Whether the broker grants it."""
        self._client.subscribe(topic, qos)
        return not any(code.is_failure for code in self._answer("suback", "the subscription")[0])

    def version(self) -> str:
        """What the broker publishes about itself; "" where it does not, or not to this user."""
        for topics in _VERSION_TOPICS:
            said = [self._retained(topic) for topic in topics]
            if any(said):
                return " ".join(filter(None, said))
        return ""

    def dropped(self) -> int | None:
        """How many messages the broker says that it has dropped; None where it does not say."""
        said = self._retained(_DROPPED_TOPIC)
        return int(said) if said.isdecimal() else None

    def _retained(self, topic: str) -> str:
        if not self.subscribe(topic, 0):
            return ""
        try:
            return bytes(self._messages.get(timeout=0.5).payload).decode("utf-8", "replace")
        except queue.Empty:
            return ""

    def publish(self, topic: str) -> None:
        """One message of the probe."""
        self._client.publish(topic, _PAYLOAD, qos=1)

    def code(self) -> int:
        """The reason code of the next acknowledgement."""
        try:
            return self._codes.get(timeout=_ANSWER_S)
        except queue.Empty:
            raise Unavailable("the MQTT broker", "messages are not acknowledged") from None

    def count(self, most: int) -> tuple[int, int]:
        """How many messages of the probe come, until they are `most` or none comes for a while; and before an answer.

        Returns:
            all that came; those that came while none was acknowledged.
        """
        waiting = self._wave(most)
        window = count = len(waiting)
        while waiting:
            for message in waiting:
                self._client.ack(message.mid, message.qos)
            waiting = self._wave(most - count)
            count += len(waiting)
        return count, window

    def _wave(self, most: int) -> list[mqtt.MQTTMessage]:
        """What comes without an answer."""
        found: list[mqtt.MQTTMessage] = []
        while len(found) < most:
            try:
                message = self._messages.get(timeout=_QUIET_S)
            except queue.Empty:
                break
            if not message.topic.startswith("$"):
                found.append(message)
        return found

    def leave(self) -> None:
        """Disconnect; the session stays for as long as was asked for."""
        self._client.disconnect()
        self._client.loop_stop()

    def _await_connack(self) -> tuple[bool, Any]:
        resumed, properties = self._answer("connack", "the connection")
        return bool(resumed), properties

    def _answer(self, kind: str, what: str) -> tuple[Any, Any]:
        deadline = time.monotonic() + _ANSWER_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                got, first, second = self._answers.get(timeout=left)
            except queue.Empty:
                break
            if got == kind:
                return first, second
            if got in {"refused", "failed"}:
                raise Unavailable(
                    "the MQTT broker", f"{first or 'connection closed'} at {self._place}"
                )
        raise Unavailable("the MQTT broker", f"no answer to {what} at {self._place}")

    def _on_connect(
        self, client: Any, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        kind = "refused" if code.is_failure else "connack"
        first = str(code) if code.is_failure else flags.session_present
        self._answers.put((kind, first, properties))

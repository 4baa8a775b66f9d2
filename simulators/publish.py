"""Publishes over MQTT 5 at QoS 1 with a bounded number in flight, and counts what the broker acknowledged.

The one file here that knows paho. A lost connection is made again by paho, which sends again what was not acknowledged.
A message that the broker acknowledges because nobody has subscribed is gone: a publisher that insists keeps it, and
sends it again until somebody hears it. It refuses to hold more than it may have on the way.
"""

from __future__ import annotations

import logging
import math
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.domain.broker_address import BrokerAddress
from services.domain.errors import CitygaugeError, Unavailable

_log: Final = logging.getLogger("citygauge.simulate")
_CONNECT_S: Final = 15.0
_QUIET_S: Final = 10.0
_NOBODY_LISTENS: Final = 0x10
_TURN_S: Final = 0.25
_AGAIN_S: Final = 1.0


class PublishRefused(CitygaugeError):
    """The broker refused messages, mostly because this user may not publish on the topic."""

    def __init__(self, messages: int, reason: str) -> None:
        self.messages, self.reason = messages, reason
        super().__init__(f"the MQTT broker refused {messages} messages: {reason}")


class NobodyListens(CitygaugeError):
    """Messages have no subscriber, although they were sent again and again."""

    def __init__(self, messages: int, topic: str) -> None:
        self.messages, self.topic = messages, topic
        super().__init__(
            f"nobody has subscribed to {topic}, messages not delivered: {messages}; start `citygauge ingest` on this "
            "broker, and see that its topics (CITYGAUGE_INGEST_TOPICS) have this one"
        )


@dataclass(frozen=True, slots=True)
class _Sent:
    topic: str
    payload: bytes
    readings: int


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker has acknowledged.

    Attributes:
        readings, messages: acknowledged; by a publisher that insists only what somebody has heard.
        unheard: messages without a subscriber: gone, or still kept by one that insists.
    """

    readings: int
    messages: int
    unheard: int


class Publisher:
    """A connection to a broker for as long as the `with` block lasts.

    Attributes:
        receive_maximum: how many messages the broker takes before it has acknowledged any.
    """

    def __init__(
        self, url: str, client_id: str, in_flight: int = 500, *, insists: bool = False
    ) -> None:
        """`url` is a broker's address (`BrokerAddress`).

        `insists`: what nobody hears is sent again; the first message goes alone, so that the others keep their order
        where nobody has subscribed yet.
        """
        self._address = address = BrokerAddress.parse(url)
        self._in_flight, self._insists = in_flight, insists
        self._heard = threading.Event()
        self._unheard_messages: deque[_Sent] = deque()
        self._unheard_at_s, self._unheard_topic = -math.inf, ""
        self._next_again_s = self._next_word_s = 0.0
        self._free = threading.Semaphore(in_flight)
        self._lock = threading.Lock()
        self._waiting: dict[int, _Sent] = {}
        self._early: dict[int, ReasonCode] = {}
        self._readings = self._messages = self._unheard = self._refused = 0
        self._reason = ""
        self.receive_maximum = 65_535
        self._answer = threading.Event()
        self._refusal = ""
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5
        )
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=address.ca))
            except OSError as error:
                raise address.untrusted(error) from error
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 300
        self._client.max_inflight_messages_set(self._in_flight)
        try:
            self._client.connect(
                self._address.host, self._address.port, keepalive=30, properties=session
            )
        except OSError as error:
            raise Unavailable("the MQTT broker", f"{error} at {self._address.name}") from error
        self._client.loop_start()
        if not self._answer.wait(_CONNECT_S) or self._refusal:
            self._client.loop_stop()
            reason = self._refusal or f"no answer within {_CONNECT_S:g} s"
            raise Unavailable("the MQTT broker", f"{reason} at {self._address.name}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
        end.SessionExpiryInterval = 0
        self._client.disconnect(properties=end)
        self._client.loop_stop()

    @property
    def published(self) -> Published:
        """What is acknowledged so far."""
        with self._lock:
            unheard = self._unheard + len(self._unheard_messages)
            return Published(self._readings, self._messages, unheard)

    def publish(
        self,
        topic: str,
        payload: bytes,
        readings: int,
        *,
        give_up: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Send one message; waits while too many are on their way, until `give_up`. Whether it was sent.

        Raises:
            PublishRefused: the broker refused an earlier one.
        """
        since = time.monotonic()
        if self._unheard_messages:
            self._serve(since)
        while not self._free.acquire(timeout=_TURN_S):
            if give_up():
                return False
            self._serve(since)
        if self._refused:
            raise PublishRefused(self._refused, self._reason)
        self._send(_Sent(topic, payload, readings))
        while self._insists and not self._heard.wait(_TURN_S) and not give_up():
            self._serve(since)
        return True

    def flush(self, timeout: float = 60.0) -> Published:
        """Wait until everything is acknowledged.

        Raises:
            Unavailable: not within `timeout` seconds.
            NobodyListens: somebody was to hear it, and nobody did within `timeout` seconds.
            PublishRefused: the broker refused messages.
        """
        since = time.monotonic()
        deadline, held = since + timeout, 0
        while held < self._in_flight:
            left = deadline - time.monotonic()
            if self._free.acquire(timeout=min(max(left, 0.0), _TURN_S)):
                held += 1
            elif left > 0:
                self._serve(since)
            else:
                self._free.release(held)
                if time.monotonic() - self._unheard_at_s < 3 * _AGAIN_S:
                    raise NobodyListens(self._in_flight - held, self._unheard_topic)
                problem = (
                    f"{self._in_flight - held} messages are not acknowledged after {timeout:g} s"
                )
                raise Unavailable("the MQTT broker", problem)
        self._free.release(held)
        if self._refused:
            raise PublishRefused(self._refused, self._reason)
        return self.published

    def _send(self, sent: _Sent) -> None:
        mid = self._client.publish(sent.topic, sent.payload, qos=1).mid
        with self._lock:
            code = self._early.pop(mid, None)
            if code is None:
                self._waiting[mid] = sent
            else:
                self._settle(sent, code)

    def _serve(self, since_s: float) -> None:
        """What is done while somebody waits: send again what nobody heard, and now and then a word about the wait."""
        now = time.monotonic()
        says = now >= self._next_word_s
        if self._unheard_messages and now >= self._next_again_s:
            # The first message waits alone for somebody to subscribe: it costs little to ask often.
            self._next_again_s = now + (_AGAIN_S if self._heard.is_set() else _TURN_S)
            with self._lock:
                again = list(self._unheard_messages)
                self._unheard_messages.clear()
            if says:
                self._next_word_s = now + _QUIET_S
                _log.warning(
                    "nobody has subscribed: waiting for ingest, and sending again messages=%d topic=%s",
                    len(again),
                    again[0].topic,
                )
            for sent in again:
                self._send(sent)
        elif says and not self._unheard_messages and now - since_s > _QUIET_S:
            self._next_word_s = now + _QUIET_S
            _log.warning("waiting for the broker in_flight=%d", self._in_flight)

    def _on_connect(self, client: Any, data: Any, flags: Any, code: ReasonCode, props: Any) -> None:
        self._refusal = str(code) if code.is_failure else ""
        self.receive_maximum = getattr(props, "ReceiveMaximum", 65_535)
        self._answer.set()

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, code: ReasonCode, props: Any
    ) -> None:
        if code.is_failure:
            _log.warning("connection to the broker lost reason=%s", code)

    def _on_publish(self, client: Any, data: Any, mid: int, code: ReasonCode, props: Any) -> None:
        with self._lock:
            sent = self._waiting.pop(mid, None)
            if sent is None:
                self._early[mid] = code
            else:
                self._settle(sent, code)

    def _settle(self, sent: _Sent, code: ReasonCode) -> None:
        """Counts one acknowledgement; with the lock held."""
        unheard = code.value == _NOBODY_LISTENS
        if unheard and self._insists:
            self._unheard_messages.append(sent)
            self._unheard_at_s, self._unheard_topic = time.monotonic(), sent.topic
            return
        if code.is_failure:
            self._refused += 1
            self._reason = str(code)
        else:
            self._messages += 1
            self._readings += sent.readings
            self._unheard += unheard
        self._heard.set()
        self._free.release()

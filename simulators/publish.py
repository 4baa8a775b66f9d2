"""Publishes over MQTT 5 at QoS 1 with a bounded number in flight, and counts what the broker acknowledged.

The one file here that knows paho. A lost connection is made again by paho, which sends again what was not acknowledged.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.domain.errors import CitygaugeError, InvalidInput, Unavailable

_log: Final = logging.getLogger("citygauge.simulate")
_CONNECT_S: Final = 15.0
_QUIET_S: Final = 10.0
_NOBODY_LISTENS: Final = 0x10


class PublishRefused(CitygaugeError):
    """The broker refused messages, mostly because this user may not publish on the topic."""

    def __init__(self, messages: int, reason: str) -> None:
        self.messages, self.reason = messages, reason
        super().__init__(f"the MQTT broker refused {messages} messages: {reason}")


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker has acknowledged; `unheard` messages had no subscriber and are gone."""

    readings: int
    messages: int
    unheard: int


class Publisher:
    """A connection to a broker for as long as the `with` block lasts.

    Attributes:
        receive_maximum: how many messages the broker takes before it has acknowledged any.
    """

    def __init__(self, url: str, client_id: str, in_flight: int = 500) -> None:
        """`url` is mqtt://[user:password@]host[:port], or mqtts:// for TLS."""
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise InvalidInput("MQTT_URL", parts.scheme, "mqtt://user:password@host:1883")
        self._place = (parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._in_flight = in_flight
        self._free = threading.Semaphore(in_flight)
        self._lock = threading.Lock()
        self._waiting: dict[int, int] = {}
        self._early: set[int] = set()
        self._readings = self._messages = self._unheard = self._refused = 0
        self._reason = ""
        self.receive_maximum = 65_535
        self._answer = threading.Event()
        self._refusal = ""
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5
        )
        if parts.username:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 300
        self._client.max_inflight_messages_set(self._in_flight)
        try:
            self._client.connect(*self._place, keepalive=30, properties=session)
        except OSError as error:
            raise Unavailable("the MQTT broker", f"{error} at {self._named}") from error
        self._client.loop_start()
        if not self._answer.wait(_CONNECT_S) or self._refusal:
            self._client.loop_stop()
            reason = self._refusal or f"no answer within {_CONNECT_S:g} s"
            raise Unavailable("the MQTT broker", f"{reason} at {self._named}")
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
            return Published(self._readings, self._messages, self._unheard)

    def publish(self, topic: str, payload: bytes, readings: int) -> None:
        """Send one message; waits while too many are on their way.

        Raises:
            PublishRefused: the broker refused an earlier one.
        """
        while not self._free.acquire(timeout=_QUIET_S):
            _log.warning("waiting for the broker in_flight=%d", self._in_flight)
        if self._refused:
            raise PublishRefused(self._refused, self._reason)
        mid = self._client.publish(topic, payload, qos=1).mid
        with self._lock:
            if mid in self._early:
                self._early.discard(mid)
                self._readings += readings
            else:
                self._waiting[mid] = readings

    def flush(self, timeout: float = 60.0) -> Published:
        """Wait until everything is acknowledged.

        Raises:
            Unavailable: not within `timeout` seconds.
            PublishRefused: the broker refused messages.
        """
        deadline = time.monotonic() + timeout
        held = 0
        while held < self._in_flight:
            if not self._free.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
                missing = self._in_flight - held
                problem = f"{missing} messages are not acknowledged after {timeout:g} s"
                raise Unavailable("the MQTT broker", problem)
            held += 1
        self._free.release(held)
        if self._refused:
            raise PublishRefused(self._refused, self._reason)
        return self.published

    @property
    def _named(self) -> str:
        return f"{self._place[0]}:{self._place[1]}"

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
            readings = self._waiting.pop(mid, None)
            if code.is_failure:
                self._refused += 1
                self._reason = str(code)
            else:
                self._messages += 1
                self._unheard += code.value == _NOBODY_LISTENS
                if readings is None:
                    self._early.add(mid)
                else:
                    self._readings += readings
        self._free.release()

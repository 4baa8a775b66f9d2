"""The connection to the broker: the only user of paho besides the reader that derives from it.

One thread drives it by `step`: connect with backoff, subscribe, read into the inbox, write, keep alive. It refuses to
decide when a message is done: whoever commits calls `acknowledge`. MQTT 5, QoS 1, persistent session.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import time
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from services.domain.broker_address import BrokerAddress
from services.ingest.fast_reader import FastClient
from services.ingest.inbox import NO_ID, Inbox, Taken
from services.ingest.subscription import Backoff, Subscription, other_forms

log = logging.getLogger("citygauge.ingest")

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 5.0
_HANDSHAKE_S: Final = 15.0
_PLAIN_READS: Final = 2_000


class Link:
    """One MQTT session.

    Attributes:
        connected: subscribed (or, once withdrawn, unsubscribed), and messages may come.
        session_present: the broker knew the session when the connection was made.
        withdrawn: id of the last withdrawal that the broker has confirmed.
        reads: how often bytes were taken; tells whether the stream is idle.
    """

    def __init__(
        self, url: str, subscription: Subscription, inbox: Inbox, *, withdrawing: bool = False
    ) -> None:
        self._address, self._wanted, self._inbox = BrokerAddress.parse(url), subscription, inbox
        self.connected = self.session_present = self.ousted = False
        self.withdrawn: int | None = None
        self._withdrawing = withdrawing
        self._tidying: int | None = None
        self._client = self._make_client()
        self._backoff = Backoff(subscription.reconnect_min_s, subscription.reconnect_max_s)
        self._next_try = self._give_up_at = 0.0
        self._outage_since: float | None = None
        self._was_connected = self._closing = False

    def step(self, timeout_s: float, *, read: bool = True) -> bool:
        """Waits up to `timeout_s` for the connection, serves it, and returns whether anything was read.

        With `read` False nothing is taken from the connection, for however long: TCP and the receive-maximum hold
        the broker back, and the keep-alive goes on.
        """
        sock = self._client.socket()
        if sock is None:
            self._reconnect(timeout_s)
            return False
        if not self.connected and time.monotonic() > self._give_up_at:
            self._lost("the broker did not complete the handshake")
            return False
        pending = getattr(sock, "pending", None)
        ready = bool(read and pending is not None and pending())
        readable, writable, _ = select.select(
            [sock] if read else [],
            [sock] if self._client.want_write() else [],
            [],
            0.0 if ready else timeout_s,
        )
        before = len(self._inbox)
        if ready or readable:
            self._read()
        if writable and self._client.socket() is not None:
            self._client.loop_write()
        if self._client.socket() is not None:
            self._keep_alive(reading=read)
        return len(self._inbox) > before

    def acknowledge(self, taken: Taken) -> None:
        """Acknowledges messages whose transaction has committed; void where their connection is gone."""
        if taken.epoch != self._inbox.epoch or self._client.socket() is None:
            return
        ids = [packet_id for packet_id in taken.ids if packet_id != NO_ID]
        if isinstance(self._client, FastClient):
            self._client.acknowledge(ids)
            return
        for packet_id in ids:
            self._client.ack(packet_id, 1)

    def withdraw(self) -> int | None:
        """Asks for no more messages; those that the broker has queued for this session still come.

        Returns: what `withdrawn` will be once the broker has answered. It answers in order: everything that it could
        send before has then come, so an empty inbox (with all acknowledged before) means that nothing is left.
        """
        self._withdrawing = True
        return self._client.unsubscribe(list(self._wanted.filters))[1] if self.connected else None

    def close(self, timeout_s: float = 2.0, *, forget: bool = False) -> None:
        """Leaves orderly; session and unacknowledged messages stay with the broker, unless it is to `forget` them."""
        self._closing = True
        deadline = time.monotonic() + timeout_s
        if self.connected:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            if forget:
                properties.SessionExpiryInterval = 0
            self._client.disconnect(properties=properties)
        while (sock := self._client.socket()) is not None and time.monotonic() < deadline:
            if not self._client.want_write():
                break
            select.select([], [sock], [], 0.1)
            self._client.loop_write()
        self._client._sock_close()  # noqa: SLF001 - paho has no other way to close without its loop
        self.connected = False

    def _make_client(self) -> paho.Client:
        arguments: dict[str, Any] = {
            "callback_api_version": CallbackAPIVersion.VERSION2,
            "client_id": self._wanted.client_id,
            "protocol": paho.MQTTv5,
            "manual_ack": True,
        }
        client = (
            FastClient(self._inbox, **arguments) if self._wanted.fast else paho.Client(**arguments)
        )
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            try:
                client.tls_set_context(ssl.create_default_context(cafile=self._address.ca))
            except OSError as error:
                raise self._address.untrusted(error) from error
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.on_socket_open = self._on_socket_open
        client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._wanted.session_expiry_s
        properties.ReceiveMaximum = self._wanted.receive_maximum
        client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=self._wanted.keep_alive_s,
            clean_start=False,
            properties=properties,
        )
        return client

    def _read(self) -> None:
        if isinstance(self._client, FastClient):
            self._client.loop_read()
            return
        for _ in range(_PLAIN_READS):
            before = len(self._inbox)
            self._client.loop_read()
            if len(self._inbox) == before:
                return

    def _keep_alive(self, *, reading: bool) -> None:
        if not reading:
            # The answer to a ping waits behind messages that we do not read: ask, but do not expect.
            self._client._ping_t = 0.0  # noqa: SLF001 - paho knows no paused reader
        self._client.loop_misc()

    def _reconnect(self, timeout_s: float) -> None:
        pause = self._next_try - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, timeout_s))
            return
        self._give_up_at = time.monotonic() + _HANDSHAKE_S
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._failed(str(error) or type(error).__name__)

    def _lost(self, problem: str) -> None:
        self._client._sock_close()  # noqa: SLF001
        self._failed(problem)

    def _failed(self, problem: str) -> None:
        if self.connected:
            self._inbox.connection_lost()
        self.connected = False
        self._next_try = time.monotonic() + self._backoff.next_s()
        if self._outage_since is None:
            self._outage_since = time.monotonic()
            log.warning(
                "broker away: waiting and trying again; messages stay with the broker broker=%s problem=%s",
                self._address.name,
                problem,
            )

    def _on_socket_open(self, client: paho.Client, userdata: object, sock: Any) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._lost(f"the broker refuses the connection: {reason}")
            return
        if self._was_connected and not flags.session_present:
            log.warning(
                "broker forgot our session: messages that it had queued for us are lost "
                "client_id=%s; check its persistence and its session expiry",
                self._wanted.client_id,
            )
        self.session_present = flags.session_present
        if self._withdrawing:
            client.unsubscribe(list(self._wanted.filters))
            return
        if flags.session_present:
            self._tidying = client.unsubscribe(other_forms(self._wanted.filters))[1]
        options = SubscribeOptions(qos=self._wanted.qos, retainHandling=1)
        client.subscribe([(each, options) for each in self._wanted.filters])

    def _on_subscribe(
        self,
        client: paho.Client,
        userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        asked = zip(self._wanted.filters, reasons, strict=False)
        refused = [f"{each} ({reason})" for each, reason in asked if reason.is_failure]
        if refused:
            self._lost(f"the broker refuses the subscription: {', '.join(refused)}")
            return
        self._established()

    def _on_unsubscribe(
        self,
        client: paho.Client,
        userdata: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if packet_id == self._tidying:
            return
        self.withdrawn = packet_id
        if not self.connected:
            self._established()

    def _established(self) -> None:
        self.connected = self._was_connected = True
        self._backoff.reset()
        away = 0.0 if self._outage_since is None else time.monotonic() - self._outage_since
        self._outage_since = None
        log.info(
            "broker connected broker=%s client_id=%s session=%s away_s=%.1f",
            self._address.name,
            self._wanted.client_id,
            "resumed" if self.session_present else "new",
            away,
        )

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._closing:
            self.connected = False
            return
        problem = str(reason)
        if "taken over" in problem.lower():
            self.ousted = True
            problem += ": another worker uses the same name; give each worker its own"
        self._inbox.connection_lost()
        self.connected = False
        self._failed(problem)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self._inbox.add(
            message._topic,  # noqa: SLF001 - `topic` raises where the bytes are not UTF-8
            bytes(message.payload),
            message.mid if message.qos else NO_ID,
            again=message.dup,
        )

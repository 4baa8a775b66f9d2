"""A paho client that takes many messages from the connection at once and acknowledges a whole batch with one write.

It reads large chunks and cuts PUBLISH packets out of them itself; every other packet goes to paho's own handlers, as
do handshake, keep-alive, writing and TLS. It refuses QoS 2 (left to paho). MQTT 5 only (OASIS MQTT 5.0, 2.1 and 3.3).
"""
# A subclass that stands where paho's own reader stands uses its protected names; the property tests hold both together.

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket

from services.ingest.inbox import Inbox

CHUNK: Final = 256 * 1024
READ_AT_ONCE: Final = 1024 * 1024
"""Bytes that one call takes at most, so that keep-alive and commits have their turn."""
_PUBLISH: Final = 0x30
_PUBLISH_QOS_1: Final = 0x32
_USUAL_BYTES: Final = 10
_start_of: Final = struct.Struct(">BBBH").unpack_from
_rest_of: Final = struct.Struct(">HB").unpack_from


class Malformed(Exception):
    """The bytes are no MQTT 5 packets."""


class FastClient(paho.Client):
    """Drop-in for paho.Client (MQTT 5, manual acknowledgement) whose PUBLISH packets go to an inbox."""

    def __init__(self, inbox: Inbox, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inbox = inbox
        self._chunk = bytearray(CHUNK)
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 1
        """Bytes that must be there before another packet can be complete."""

    def reconnect(self) -> MQTTErrorCode:
        """See paho. Bytes of the old connection are forgotten."""
        self._parts, self._have, self._need = [], 0, 1
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Takes what has arrived, up to about READ_AT_ONCE bytes."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        result = self._receive()
        return self._loop_rc_handle(result) if result else result

    def acknowledge(self, ids: Sequence[int]) -> MQTTErrorCode:
        """Acknowledges QoS 1 messages by their packet ids with one write."""
        if self._sock is None or not ids:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        packets = np.empty((len(ids), 4), dtype=np.uint8)
        packets[:, 0], packets[:, 1] = paho.PUBACK, 2
        packets[:, 2:] = np.array(ids, dtype=">u2").view(np.uint8).reshape(-1, 2)
        return self._packet_queue(paho.PUBACK, packets.tobytes(), 0, 1)

    def feed(self, data: bytes) -> MQTTErrorCode:
        """Cuts received bytes into packets and hands them on; what is incomplete waits for more."""
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        data = b"".join(self._parts) if len(self._parts) > 1 else data
        try:
            used, self._need, result = self._cut(data)
        except (Malformed, MalformedPacket):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        rest = data[used:]
        self._parts, self._have = ([rest] if rest else []), len(rest)
        return result

    def _closed(self) -> bool:
        return self._sock is None

    def _receive(self) -> MQTTErrorCode:
        taken = 0
        view = memoryview(self._chunk)
        while taken < READ_AT_ONCE:
            try:
                count = self._receive_into(view)
            except BlockingIOError:
                break
            except OSError:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            if count == 0:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            taken += count
            self._last_bytes_received = time.monotonic()
            result = self.feed(bytes(view[:count]))
            if result or self._sock is None:
                return result
            if count < CHUNK and not hasattr(self._sock, "pending"):
                break
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _receive_into(self, view: memoryview) -> int:
        if self._sock is None:
            raise ConnectionError("no connection")
        try:
            count: int = self._sock.recv_into(view)  # type: ignore[attr-defined]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error
        return count

    def _loop_rc_handle(self, rc: MQTTErrorCode) -> MQTTErrorCode:
        """Before a broken connection is closed, takes what has arrived: its sender may not live to send it again."""
        if rc == MQTTErrorCode.MQTT_ERR_CONN_LOST and self._sock is not None:
            view = memoryview(self._chunk)
            try:
                while (count := self._receive_into(view)) > 0:
                    if self.feed(bytes(view[:count])) or self._sock is None:
                        break
            except OSError:
                pass
            if self._closed():  # by a packet that came with the rest
                return rc
        return super()._loop_rc_handle(rc)

    def _cut(self, data: bytes) -> tuple[int, int, MQTTErrorCode]:
        """Hands on every complete packet of `data`.

        Returns: bytes used, bytes that the next packet needs (counted from its start), paho's result.
        """
        topics: list[bytes] = []
        payloads: list[bytes] = []
        ids: list[int] = []
        inbox = self._inbox
        largest = inbox.max_payload_bytes
        have, at, need = len(data), 0, 2
        sock, result = self._sock, MQTTErrorCode.MQTT_ERR_SUCCESS
        while have - at >= 2:
            if have - at >= _USUAL_BYTES:
                # The usual packet in two steps: QoS 1, delivered once, two bytes of length, no properties.
                head, low, high, named = _start_of(data, at)
                start, end = at + 5, at + 3 + (low & 0x7F) + (high << 7)
                begin = start + named + 3
                if head == _PUBLISH_QOS_1 and low > 127 and high < 128 and begin <= end <= have:
                    packet_id, properties = _rest_of(data, begin - 3)
                    if not properties and end - begin <= largest:
                        topics.append(data[start : begin - 3])
                        payloads.append(data[begin:end])
                        ids.append(packet_id)
                        at = end
                        continue
            head = data[at]
            length = data[at + 1]
            start = at + 2
            if length > 127:
                found = _varint(data, at + 1)
                if found is None:
                    need = have - at + 1
                    break
                length, start = found
            end = start + length
            if end > have:
                need = end - at
                break
            qos = head & 0x06
            if head & 0xF0 != _PUBLISH or qos > 2:
                inbox.extend(topics, payloads, ids)
                topics, payloads, ids = [], [], []
                result = self._other(head, data[start:end])
                if result or self._sock is not sock:
                    return end, 1, result
                at = end
                continue
            if length < 3:
                raise Malformed
            place = start + 2 + (data[start] << 8 | data[start + 1])
            topic = data[start + 2 : place]
            packet_id = 0
            if place + (3 if qos else 1) > end:
                raise Malformed
            if qos:
                packet_id = data[place] << 8 | data[place + 1]
                place += 2
            properties = data[place]
            place += 1
            if properties:
                if properties > 127:
                    found = _varint(data, place - 1)
                    if found is None:
                        raise Malformed
                    properties, place = found
                place += properties
                if place > end:
                    raise Malformed
            if head & 0x08 or end - place > largest:
                inbox.extend(topics, payloads, ids)
                topics, payloads, ids = [], [], []
                inbox.add(topic, data[place:end], packet_id, again=bool(head & 0x08))
            else:
                topics.append(topic)
                payloads.append(data[place:end])
                ids.append(packet_id)
            at = end
        inbox.extend(topics, payloads, ids)
        return at, need, result

    def _other(self, head: int, body: bytes) -> MQTTErrorCode:
        """Hands a packet to paho as if paho had read it."""
        self._in_packet["command"] = head
        self._in_packet["have_remaining"] = 1
        self._in_packet["remaining_length"] = len(body)
        self._in_packet["packet"] = bytearray(body)
        self._in_packet["pos"] = 0
        return self._packet_handle()


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A variable byte integer and the place after it; None when `data` ends within. Raises Malformed above 4 bytes."""
    value = 0
    for count in range(4):
        if at + count >= len(data):
            return None
        byte = data[at + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise Malformed

"""The few MQTT packets that the load generator and the receivers at the floor need; it is no client.

MQTT 3.1.1 (OASIS 2014) where nothing else is said. Loopback addresses only.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Final
from urllib.parse import unquote, urlsplit

PUBLISH_QOS_0: Final = 0x30
PUBLISH_QOS_1: Final = 0x32
NO_SUBSCRIBERS: Final = 0x10
"""Reason code of an MQTT 5 PUBACK: nobody is there to take the message."""
_CONNECT, _SUBSCRIBE, _PINGREQ = 0x10, 0x82, b"\xc0\x00"
_CONNACK, _PUBACK, _SUBACK, _PINGRESP = 0x20, 0x40, 0x90, 0xD0


class NotLoopback(ValueError):
    """The address is not on this machine; nothing here sends load anywhere else."""


def varint(number: int) -> bytes:
    """A remaining length: seven bits a byte, the lowest first."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def text(words: str) -> bytes:
    """A string with its length in front."""
    data = words.encode()
    return struct.pack(">H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    """A whole packet."""
    return bytes([first]) + varint(len(body)) + body


def connect(url: str, name: str, *, version: int = 4, timeout_s: float = 10.0) -> socket.socket:
    """A connection that the broker has accepted, of protocol level 4 (3.1.1) or 5, with a clean session.

    Raises:
        NotLoopback: the host is another machine.
        ConnectionError: the broker refused.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
        raise NotLoopback(host)
    link = socket.create_connection((host, parts.port or 1883), timeout=timeout_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    properties = b"" if version == 4 else b"\x00"
    body = text("MQTT") + bytes([version, 0xC2, 0, 0]) + properties + text(name)
    body += text(unquote(parts.username or "")) + text(unquote(parts.password or ""))
    link.sendall(packet(_CONNECT, body))
    first, answer = read_packet(link)
    if first != _CONNACK or answer[1] != 0:
        raise ConnectionError(f"the broker refused {name}: {first:#x} {answer.hex()}")
    return link


def subscribe(link: socket.socket, topic: str, qos: int) -> None:
    """Subscribe and wait for the broker's word."""
    link.sendall(packet(_SUBSCRIBE, b"\x00\x01" + text(topic) + bytes([qos])))
    first, answer = read_packet(link)
    if first != _SUBACK or answer[-1] > 2:
        raise ConnectionError(f"the broker refused the subscription to {topic}")


def publish_probe(link: socket.socket, topic: str, payload: bytes) -> bool:
    """Publish at QoS 1 on a connection of level 5; whether a subscriber took it."""
    link.sendall(packet(PUBLISH_QOS_1, text(topic) + b"\x00\x01\x00" + payload))
    first, answer = read_packet(link)
    if first != _PUBACK:
        raise ConnectionError(f"no PUBACK but {first:#x}")
    return len(answer) == 2 or answer[2] != NO_SUBSCRIBERS


def ping(link: socket.socket) -> None:
    """Wait until the broker has read everything that was sent."""
    link.sendall(_PINGREQ)
    first, _ = read_packet(link)
    if first != _PINGRESP:
        raise ConnectionError(f"no PINGRESP but {first:#x}")


def read_packet(link: socket.socket) -> tuple[int, bytes]:
    """One packet: its first byte and its body. Slow: for handshakes."""
    first = _exactly(link, 1)[0]
    size = shift = 0
    while True:
        byte = _exactly(link, 1)[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, _exactly(link, size)


def _exactly(link: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ConnectionError("the broker closed the connection")
        data += part
    return bytes(data)

"""The fast reader against plain paho: the same bytes, split anywhere, are the same messages. And: batches divide."""

import socket
import struct
from itertools import pairwise

import numpy as np
import paho.mqtt.client as paho
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.ingest.fast_reader import FastClient
from services.ingest.inbox import Inbox
from services.ingest.validate import behind
from services.ingest.waves import divide

LARGEST = 300
ARGUMENTS = {
    "callback_api_version": CallbackAPIVersion.VERSION2,
    "client_id": "test",
    "protocol": paho.MQTTv5,
    "manual_ack": True,
}


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def publish(
    topic: str, payload: bytes, qos: int, mid: int, *, dup: bool, retain: bool, tag: str
) -> bytes:
    head = 0x30 | dup << 3 | qos << 1 | retain
    properties = b""
    if tag:
        text = tag.encode()
        properties = b"\x26\x00\x01k" + struct.pack("!H", len(text)) + text
    body = struct.pack("!H", len(topic.encode())) + topic.encode()
    if qos:
        body += struct.pack("!H", mid)
    body += varint(len(properties)) + properties + payload
    return bytes([head]) + varint(len(body)) + body


publishes = st.builds(
    publish,
    st.text("ab/\u00e9", min_size=1, max_size=12),
    st.one_of(st.binary(max_size=200), st.binary(min_size=LARGEST - 1, max_size=LARGEST + 2)),
    st.sampled_from([0, 1]),
    st.integers(1, 65_535),
    dup=st.booleans(),
    retain=st.booleans(),
    tag=st.one_of(st.just(""), st.text("x", min_size=1, max_size=200)),
)
others = st.sampled_from([b"\xd0\x00", b"\x90\x04\x00\x01\x00\x01", b"\xb0\x04\x00\x01\x00\x00"])
streams = st.lists(st.one_of(publishes, others), max_size=8).map(b"".join)


def new_inbox() -> Inbox:
    return Inbox(LARGEST, 100, lambda: 0)


def plain_client(inbox: Inbox) -> paho.Client:
    client = paho.Client(**ARGUMENTS)  # type: ignore[arg-type]
    client.on_message = lambda _, __, message: inbox.add(
        message._topic, bytes(message.payload), message.mid, again=message.dup
    )
    return client


def receive(client: paho.Client, parts: list[bytes]) -> MQTTErrorCode:
    """What the client makes of the parts as they arrive on a socket, and then nothing."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        client._sock = near
        client._state = paho._ConnectionState.MQTT_CS_CONNECTED
        try:
            for part in parts:
                far.sendall(part)
                for _ in range(40):
                    result = client.loop_read()
                    if result or client._sock is None:
                        return result
        finally:
            client._sock = None
    return MQTTErrorCode.MQTT_ERR_SUCCESS


def contents(inbox: Inbox) -> tuple[object, ...]:
    waiting = inbox.waiting
    return waiting.topics, waiting.payloads, waiting.redelivered, waiting.cut, inbox.ids


@settings(max_examples=150)
@given(streams, st.lists(st.integers(0, 2_000), max_size=6))
def test_the_same_bytes_are_the_same_messages(stream: bytes, cuts: list[int]) -> None:
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    parts = [stream[a:b] for a, b in pairwise(edges)]
    fast, plain = new_inbox(), new_inbox()
    assert receive(FastClient(fast, **ARGUMENTS), parts) == 0
    assert receive(plain_client(plain), parts) == 0
    assert contents(fast) == contents(plain)
    assert fast.payload_bytes == plain.payload_bytes


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x03\x00\x09a",
        b"\x32\x04\x00\x01a\x00",
        b"\x32\x06\x00\x01a\x00\x01\x7f",
        b"\x30\x02\x00\x00",
        b"\xf0\x00",
    ],
)
def test_what_is_no_packet_ends_the_connection(stream: bytes) -> None:
    assert receive(FastClient(new_inbox(), **ARGUMENTS), [stream]) != 0


def test_what_came_before_the_end_of_a_connection_is_taken() -> None:
    inbox = new_inbox()
    client = FastClient(inbox, **ARGUMENTS)
    near, far = socket.socketpair()
    near.setblocking(False)
    client._sock = near
    far.sendall(publish("t", b"payload", 1, 7, dup=False, retain=False, tag=""))
    far.close()
    client._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
    assert inbox.waiting.payloads == [b"payload"]
    assert client.socket() is None


@given(st.lists(st.integers(1, 65_535), min_size=1, max_size=200))
def test_a_batch_is_acknowledged_with_the_packets_that_paho_writes(ids: list[int]) -> None:
    written = []
    for client in (FastClient(new_inbox(), **ARGUMENTS), paho.Client(**ARGUMENTS)):  # type: ignore[arg-type]
        near, far = socket.socketpair()
        with near, far:
            client._sock = near
            if isinstance(client, FastClient):
                client.acknowledge(ids)
            else:
                for packet_id in ids:
                    client.ack(packet_id, 1)
            client._sock = None
            near.close()
            with far.makefile("rb") as stream:
                written.append(stream.read())
    assert written[0] == written[1]


@given(
    st.lists(st.binary(min_size=1, max_size=30), max_size=30),
    st.integers(1, 10),
    st.integers(1, 100),
)
def test_taking_from_the_inbox_keeps_order_and_bounds(
    payloads: list[bytes], most: int, most_bytes: int
) -> None:
    inbox = Inbox(20, 10, lambda: 5)
    for place, payload in enumerate(payloads):
        inbox.add(b"t%d" % place, payload, place + 1, again=place % 3 == 0)
    topics: list[bytes] = []
    ids: list[int] = []
    while len(inbox):
        taken = inbox.take(most, most_bytes)
        n = len(taken.messages)
        assert 1 <= n <= most
        assert taken.payload_bytes <= most_bytes or n == 1
        for place, packet_id in enumerate(taken.ids):
            original = payloads[packet_id - 1]
            assert (place in taken.messages.redelivered) == ((packet_id - 1) % 3 == 0)
            assert taken.messages.cut.get(place) == (len(original) if len(original) > 20 else None)
        topics += taken.messages.topics
        ids += taken.ids
    assert topics == [b"t%d" % place for place in range(len(payloads))]
    assert ids == list(range(1, len(payloads) + 1))
    assert inbox.payload_bytes == 0


rows = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=30)


@given(rows, st.lists(st.integers(-1, 5), min_size=4, max_size=4))
def test_late_is_older_than_anything_before_of_the_same_sensor(
    arrivals: list[tuple[int, int]], newest: list[int]
) -> None:
    highest = dict(enumerate(newest))
    expected = []
    for sensor, time in arrivals:
        expected.append(time < highest[sensor])
        highest[sensor] = max(highest[sensor], time)
    sensors = np.array([sensor for sensor, _ in arrivals])
    times = np.array([time for _, time in arrivals])
    assert behind(sensors, times, np.array(newest)[sensors]).tolist() == expected


values = st.one_of(st.just(float("nan")), st.sampled_from([1.0, 2.0]))


@given(
    st.lists(
        st.tuples(st.integers(1, 2), st.integers(0, 2), values, values), min_size=1, max_size=25
    )
)
def test_waves_are_unique_in_order_and_leave_out_only_what_brings_nothing(
    arrivals: list[tuple[int, int, float, float]],
) -> None:
    arrivals = [each for each in arrivals if each[2] == each[2] or each[3] == each[3]]
    n = len(arrivals)
    batch = ReadingBatch(
        Domain.WATER,
        np.array([each[0] for each in arrivals], dtype=np.int32),
        np.array([each[1] for each in arrivals], dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int16),
        {
            "register_litres": np.array([each[2] for each in arrivals]),
            "battery_pct": np.array([each[3] for each in arrivals]),
        },
    )
    if not n:
        return
    waves = divide(batch)
    wave_of = {row: k for k, found in enumerate(waves.rows) for row in found.tolist()}
    assert sorted([*wave_of, *waves.duplicate]) == list(range(n))
    said: dict[tuple[int, int], dict[int, float]] = {}
    waves_of_key: dict[tuple[int, int], list[int]] = {}
    conflicting = 0
    for row, (sensor, time, *metrics) in enumerate(arrivals):
        known = said.setdefault((sensor, time), {})
        new = {k: v for k, v in enumerate(metrics) if v == v and k not in known}
        conflict = any(v == v and known.get(k, v) != v for k, v in enumerate(metrics))
        assert (row in wave_of) == bool(new)
        conflicting += not new and conflict
        known |= new
        if new:
            waves_of_key.setdefault((sensor, time), []).append(wave_of[row])
    assert all(found == list(range(len(found))) for found in waves_of_key.values())
    assert waves.conflicting == conflicting

"""The parts of the benchmarks that could be wrong without anybody noticing: payloads, acknowledgements, accounts."""

import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from benchmarks import accounts, api_city, api_http, bench_scaling, load, mqtt_wire, report
from benchmarks.payloads import FIRST_VALUE, FORMS, TIME_WIDTH, Form, probe
from benchmarks.site import Cost
from services.domain.instant import parse_time
from tests.waiting import PATIENCE_S

ACK = b"\x40\x02\x00\x01"


def payload_of(packet: bytes) -> bytes:
    """The payload of an MQTT 3.1.1 PUBLISH at QoS 1, cut out by the letter of the standard."""
    place, size, shift = 1, 0, 0
    while True:
        byte = packet[place]
        place += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    assert len(packet) == place + size
    (topic_bytes,) = struct.unpack_from(">H", packet, place)
    return packet[place + 2 + topic_bytes + 2 :]


@pytest.mark.parametrize("form", Form)
def test_each_packet_is_json_and_each_reading_is_told_from_all_others(form: Form) -> None:
    frame = FORMS[form](1)
    packets = frame.packets(30, 1_000, FIRST_VALUE)
    values: list[float] = []
    sensors: list[str] = []
    for packet in packets:
        body = json.loads(payload_of(packet.tobytes()))
        match form:
            case Form.NATIVE:
                values.append(body["values"]["register"])
            case Form.FLAT:
                values.append(body["value"])
                sensors.append(body["sensor"])
            case Form.ARRAY:
                values += [each["values"]["register"] for each in body]
                sensors += [each["sensor_id"] for each in body]
            case Form.COLUMNS:
                values += body["columns"]["register"]
                sensors += body["columns"]["sensor_id"]
    assert values == [FIRST_VALUE + number for number in range(30 * frame.readings)]
    expected = [f"m{number % 1_000:05d}" for number in range(len(sensors))]
    assert sensors == expected


def test_the_topic_names_the_sensor_of_the_reading() -> None:
    packets = FORMS[Form.FLAT](1).packets(3, 2, FIRST_VALUE)
    assert [bytes(packet).count(b"m00001") for packet in packets] == [0, 2, 0]


@pytest.mark.parametrize("form", Form)
def test_the_probe_is_json(form: Form) -> None:
    assert isinstance(json.loads(probe(form, "2026-01-01T00:00:00Z")), dict)


def test_the_written_time_has_its_width_also_at_a_full_second() -> None:
    for us in (1_700_000_000_000_000, 1_700_000_000_000_001):
        written = load._written(us)
        assert len(written) == TIME_WIDTH
        assert parse_time(written.decode()) == us


@pytest.mark.parametrize("cuts", [(4, 8, 12), (1, 2, 3, 12), (3, 7, 12), (12,)])
def test_acknowledgements_are_counted_however_they_are_cut(cuts: tuple[int, ...]) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    data = ACK * 3

    def send() -> None:
        start = 0
        for end in cuts:
            theirs.sendall(data[start:end])
            start = end

    with ours, theirs:
        sender = threading.Thread(target=send)
        sender.start()
        taken = 0
        while taken < 3:
            taken += load.Publisher._take(ours, min(2, 3 - taken))
        sender.join()
        assert taken == 3


def test_load_goes_to_this_machine_alone() -> None:
    with pytest.raises(mqtt_wire.NotLoopback):
        mqtt_wire.connect("mqtt://192.0.2.1:1883", "nobody")


@pytest.mark.parametrize("number", [0, 127, 128, 16_383, 16_384, 268_435_455])
def test_a_remaining_length_reads_back(number: int) -> None:
    data = mqtt_wire.varint(number)
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(data)) == number
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


def test_cpu_of_a_child_that_has_ended_is_still_counted() -> None:
    before = accounts.cpu_us(os.getpid())
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert accounts.cpu_us(os.getpid()) - before >= 280_000


def test_memory_of_a_child_is_added() -> None:
    alone = accounts.resident_peak_bytes(os.getpid())
    hold = "data = b'x' * 50_000_000\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in accounts.descendants(os.getpid())
        assert accounts.resident_peak_bytes(os.getpid()) - alone >= 50_000_000
        assert accounts.shared_out_bytes(child.pid) >= 50_000_000
        child.communicate(b"\n")


def test_packets_that_are_sent_again_carry_new_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run builds few packets; read from the socket, each round has its own times."""
    ours, theirs = socket.socketpair()
    plan = load.Plan(7, qos=1, sensors=3, distinct=3)
    size = FORMS[plan.form](1).packets(1, 1, FIRST_VALUE).shape[1]
    monkeypatch.setattr(mqtt_wire, "connect", lambda *_: ours)
    received = bytearray()

    def broker() -> None:
        while len(received) < 7 * size:
            received.extend(theirs.recv(7 * size))
        theirs.sendall(ACK * 7)

    thread = threading.Thread(target=broker)
    thread.start()
    published = load.Publisher(plan).run("mqtt://127.0.0.1")
    thread.join(PATIENCE_S)
    theirs.close()
    packets = [bytes(received[place : place + size]) for place in range(0, 7 * size, size)]
    readings = [json.loads(payload_of(packet)) for packet in packets]
    assert (published.messages, published.acknowledged) == (7, 7)
    assert [reading["values"]["register"] - FIRST_VALUE for reading in readings] == [
        0, 1, 2, 0, 1, 2, 0,
    ]  # fmt: skip
    times = [parse_time(reading["time"]) for reading in readings]
    assert times == sorted(times)
    assert times[0] < times[3] < times[6]


@pytest.mark.parametrize(
    ("workers", "broker", "others", "expected"),
    [
        ([0.5], 0.1, 0.0, "database"),
        ([0.3], 0.9, 0.0, "the broker"),
        ([0.6, 0.6], 0.1, 9.0, "cores, 9.0 by others"),
    ],
)
def test_what_is_full_is_named(
    workers: list[float], broker: float, others: float, expected: str
) -> None:
    cores = {f"worker {number}": each for number, each in enumerate(workers)}
    cost = Cost(1.0, {**cores, "database": 0.2, "broker": broker, "all else": others}, {})
    assert expected in bench_scaling.full(cost, 2)


def test_a_table_refuses_a_row_that_does_not_fit() -> None:
    text = report.table("title", ("a", "b"), [("x", 1_234.5), ("long name", None)])
    assert text.splitlines()[3] == "x          1,234"
    with pytest.raises(ValueError, match="2 headings"):
        report.table("title", ("a", "b"), [("x",)])


def test_a_city_holds_about_as_many_readings_as_asked() -> None:
    for rows in (3_400_000, 20_000_000, 100_000_000):
        city = api_city.city_of(rows)
        assert rows * 0.9 <= city.readings <= rows
    assert api_city.city_of(1) == api_city.City(1, 1, 1)


def test_batches_of_a_city_hold_its_readings_in_the_order_of_time() -> None:
    batches = list(itertools.islice(api_city.batches(api_city.City(1, 1, 1)), 8))
    assert {len(batch) for batch in batches} == {360}
    times = np.concatenate([batch.observed_us for batch in batches])
    assert (np.diff(times) == api_city.MINUTE_US).all()


@pytest.mark.parametrize("chunked", [False, True])
def test_the_client_of_the_api_reads_whole_answers(chunked: bool) -> None:
    body = b"x" * 70_000
    heads = {
        False: b"Content-Length: 70000\r\n\r\n" + body,
        True: b"Transfer-Encoding: chunked\r\n\r\n11170\r\n" + body + b"\r\n0\r\n\r\n",
    }
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for _ in range(2):
                    connection.recv(10_000)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nETag: a\r\n" + heads[chunked])

        thread = threading.Thread(target=serve)
        thread.start()
        client = api_http.Client(f"http://127.0.0.1:{server.getsockname()[1]}", {"X": "y"})
        for _ in range(2):
            got = client.get("/")
            assert (got.status, got.headers["etag"]) == (200, "a")
            assert got.size >= 70_000
        client.close()
        thread.join(PATIENCE_S)

"""Bad input on the real broker and database: each piece is kept with its reason, its neighbours are stored."""

import json

import pytest

from services.domain.rejection import RejectReason
from services.store.connection import connect
from services.store.rejected import page
from services.store.sensors import SensorRepository
from tests.ingest_worker import Publisher, body, committed, register, rows, working

TOPIC = "citygauge/v1/water/m0/reading"
FUTURE = 4_000_000_000 - 1_795_309_200

BAD: list[tuple[str, object, RejectReason]] = [
    (TOPIC, b"hello", RejectReason.NOT_JSON),
    (TOPIC, {**body(1), "values": {"register": "7"}}, RejectReason.WRONG_TYPE),
    (TOPIC, {**body(1), "units": {"register": "gallons"}}, RejectReason.UNKNOWN_UNIT),
    (TOPIC, {**body(1), "values": {"register": float("nan")}}, RejectReason.NOT_FINITE),
    (TOPIC, {**body(1), "values": {"register": float("inf")}}, RejectReason.NOT_FINITE),
    (TOPIC, {"values": {"register": 1}}, RejectReason.MISSING_FIELD),
    (TOPIC, b'{"a":"' + b"x" * (2**20 - 8) + b'"}', RejectReason.TOO_LARGE),
    (TOPIC, b"[" * 100_000, RejectReason.TOO_DEEP),
    (TOPIC, b'{"time":"\xc3\x28"}', RejectReason.NOT_UTF8),
    ("citygauge/v1/air/m0/reading", body(1), RejectReason.UNKNOWN_TOPIC),
    (TOPIC, {**body(1), "time": "2026-11-22T01:00:00"}, RejectReason.TIME_WITHOUT_ZONE),
    (TOPIC, body(FUTURE), RejectReason.TIME_IN_FUTURE),
    (TOPIC, {**body(1), "time": "1999-12-31T23:59:59Z"}, RejectReason.TIME_TOO_OLD),
    ("citygauge/v1/water/nobody/reading", body(1), RejectReason.UNKNOWN_SENSOR),
    ("citygauge/v1/water/t1/reading", body(1), RejectReason.WRONG_DOMAIN),
]


@pytest.mark.parametrize("fast_reader", [True, False])
def test_each_bad_message_is_kept_and_its_neighbours_are_stored(
    database_url: str, mqtt_url: str, device_mqtt_url: str, *, fast_reader: bool
) -> None:
    register(database_url)
    with (
        working(database_url, mqtt_url, worker=f"bad-{fast_reader}", fast_reader=fast_reader),
        Publisher(device_mqtt_url, f"bad-{fast_reader}") as device,
    ):
        for place, (topic, payload, _) in enumerate(BAD):
            device.reading("m1", place, float(place))
            device.publish(topic, payload)
        device.reading("m1", len(BAD), float(len(BAD)))
        device.settle()
        found = committed(database_url, device.published)
    assert found.received == found.messages == 2 * len(BAD) + 1
    assert (found.stored, found.rejected, found.duplicate) == (len(BAD) + 1, len(BAD), 0)
    assert [(row[0], row[1], row[2]) for row in rows(database_url)] == [
        ("m1", place, float(place)) for place in range(len(BAD) + 1)
    ]
    with connect(database_url, "test") as conn:
        kept = page(conn, limit=100).items[::-1]
        unknown = SensorRepository(conn).quarantined(limit=10).items
    assert sorted((k.topic, k.reason) for k in kept) == sorted((t, r) for t, _, r in BAD)
    large = next(k for k in kept if k.reason is RejectReason.TOO_LARGE)
    assert (len(large.payload), large.payload_bytes) == (65_536, 2**20)
    small = next(k for k in kept if k.reason is RejectReason.UNKNOWN_UNIT)
    assert json.loads(small.payload)["units"] == {"register": "gallons"}
    assert [(each.id, each.readings) for each in unknown] == [("nobody", 1)]


def test_parts_of_arrays_and_columns(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    columns = {
        "units": {"register": "L"},
        "columns": {
            "time": [1_795_309_300, "never", 1_795_309_302],
            "sensor_id": ["m2", "m3", "nobody"],
            "register": [1, 2, 3],
        },
    }
    with (
        working(database_url, mqtt_url, worker="parts"),
        Publisher(device_mqtt_url, "parts") as device,
    ):
        device.publish(TOPIC, [body(1), 5, {**body(2), "sensor_id": "m1"}, {**body(3), "x": 1}])
        device.publish(TOPIC, columns)
        device.settle()
        found = committed(database_url, 7)
    assert (found.received, found.messages, found.stored, found.rejected) == (7, 2, 3, 4)
    assert [row[:2] for row in rows(database_url)] == [("m0", 1), ("m1", 2), ("m2", 100)]


def test_a_time_in_milliseconds_is_stored_at_the_moment_that_was_meant(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    with (
        working(database_url, mqtt_url, worker="units-of-time"),
        Publisher(device_mqtt_url, "units-of-time") as device,
    ):
        seconds = body(1)["time"]
        assert isinstance(seconds, int)
        for place, unit in enumerate((1, 1_000, 1_000_000)):
            device.publish(TOPIC, {**body(1), "time": (seconds + place) * unit})
        device.settle()
        found = committed(database_url, 3)
    assert (found.stored, found.rejected) == (3, 0)
    assert [row[:2] for row in rows(database_url)] == [("m0", 1), ("m0", 2), ("m0", 3)]


def test_a_row_that_the_database_refuses_does_not_stall_the_rest(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    with connect(database_url, "test") as conn:
        conn.execute(
            "ALTER TABLE water_reading ADD CONSTRAINT no_thirteen CHECK (register_litres <> 13)"
        )
    with (
        Publisher(device_mqtt_url, "poison") as device,
        working(database_url, mqtt_url, worker="poison"),
    ):
        for second in range(60):
            device.reading("m1", second, 13.0 if second in (20, 41) else 1.0)
        device.publish(TOPIC, [{**body(70, 13.0)}, {**body(71)}])
        device.settle()
        found = committed(database_url, 62)
    assert (found.stored, found.rejected, found.messages) == (59, 3, 61)
    with connect(database_url, "test") as conn:
        kept = page(conn, limit=10).items
    assert {each.reason for each in kept} == {RejectReason.REFUSED_BY_DATABASE}
    assert all("no_thirteen" in each.detail for each in kept)
    assert all(b"13" in each.payload for each in kept)
    assert json.loads(kept[0].payload) == body(70, 13.0)

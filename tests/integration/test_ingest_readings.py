"""Good input in all its turns: merged, again, out of order, from strangers; replayed after a fix."""

from services.domain.catalogue import SensorKind
from services.domain.quality import Quality
from services.domain.rejection import RejectReason
from services.domain.sensor import Sensor
from services.ingest.redo import replay_rejected
from services.ingest.settings import IngestSettings
from services.store.connection import connect
from services.store.rejected import MessageState, page
from services.store.sensors import SensorRepository
from tests.ingest_worker import Publisher, account, body, committed, register, rows, working

TOPIC = "citygauge/v1/water/m0/reading"
BATTERY = {"values": {"battery": 50}, "units": {"battery": "%"}}


def test_merge_duplicate_conflict_and_lateness_are_counted_exactly(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    with (
        working(database_url, mqtt_url, worker="turns"),
        Publisher(device_mqtt_url, "turns") as device,
    ):
        device.reading("m0", 10, 5.0)
        device.settle()
        committed(database_url, 1)
        device.publish(TOPIC, {**body(10), **BATTERY})  # merged with what is stored
        device.reading("m0", 10, 5.0)  # duplicate
        device.reading("m0", 10, 6.0)  # duplicate and conflicting
        device.reading("m0", 4, 1.0)  # out of order
        device.publish(  # merged and again within one message
            TOPIC, [body(20), {**body(20), **BATTERY}, body(20), body(20, 9.0)]
        )
        device.settle()
        found = committed(database_url, 9)
    assert (found.received, found.stored, found.merged) == (9, 5, 2)
    assert (found.duplicate, found.conflicting, found.rejected, found.late) == (4, 2, 0, 1)
    assert rows(database_url) == [
        ("m0", 4, 1.0, None, Quality.LATE),
        ("m0", 10, 5.0, 50.0, 0),
        ("m0", 20, 1.0, 50.0, 0),
    ]


def test_a_worker_that_starts_knows_what_is_late(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    for second in (10, 5):
        with (
            working(database_url, mqtt_url, worker="knows"),
            Publisher(device_mqtt_url, "knows") as device,
        ):
            device.reading("m0", second)
            device.settle()
            committed(database_url, 1 if second == 10 else 2)
    assert [(row[1], row[4]) for row in rows(database_url)] == [(5, Quality.LATE), (10, 0)]


def test_strangers_are_registered_where_the_setting_says_so(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    with (
        working(database_url, mqtt_url, worker="register", unknown_sensors="register"),
        Publisher(device_mqtt_url, "register") as device,
    ):
        device.reading("new", 1)
        device.settle()
        found = committed(database_url, 1)
    assert (found.stored, found.rejected) == (1, 0)
    with connect(database_url, "test") as conn:
        assert SensorRepository(conn).get("new").kind is SensorKind.WATER_METER


def test_a_sensor_is_known_from_the_moment_of_its_registration(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    with (
        working(database_url, mqtt_url, worker="moment"),
        Publisher(device_mqtt_url, "moment") as device,
    ):
        device.reading("m0", 1)
        device.settle()
        committed(database_url, 1)
        with connect(database_url, "test") as conn:
            SensorRepository(conn).upsert([Sensor("m0", SensorKind.WATER_METER, unit="m3")])
        device.publish(TOPIC, {"time": 1_795_309_202, "values": {"register": 2}})
        device.settle()
        found = committed(database_url, 2)
    assert (found.stored, found.rejected) == (1, 1)
    assert rows(database_url)[0][:3] == ("m0", 2, 2000.0)


def test_rejected_messages_are_replayed_and_the_account_moves(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    register(database_url)
    settings = IngestSettings(metrics_port=0)
    with (
        working(database_url, mqtt_url, worker="redo"),
        Publisher(device_mqtt_url, "redo") as device,
    ):
        device.publish(TOPIC, [{**body(second), "sensor_id": "late"} for second in range(5)])
        device.reading("late", 4)
        device.reading("stranger", 1)
        device.publish(TOPIC, b"junk")
        device.settle()
        before = committed(database_url, 8)
    assert (before.received, before.stored, before.rejected) == (8, 0, 8)
    with connect(database_url, "test", autocommit=True) as conn:
        SensorRepository(conn).upsert([Sensor("late", SensorKind.WATER_METER)])
        result = replay_rejected(conn, settings, by="ann")
        again = replay_rejected(conn, settings, by="ann")
        states = {each.sensor_id: each for each in page(conn, limit=10).items}
    assert (result.replayed, result.stay, result.stored, result.duplicate) == (2, 2, 5, 1)
    assert result.reasons == {RejectReason.UNKNOWN_SENSOR: 1, RejectReason.NOT_JSON: 1}
    assert (again.replayed, again.stored) == (0, 0)
    assert states["late"].state is MessageState.REPLAYED
    assert states["late"].changed_by == "ann"
    assert states["stranger"].state is MessageState.NEW
    after = account(database_url)
    assert (after.received, after.stored, after.duplicate, after.rejected) == (8, 5, 1, 2)
    assert len(rows(database_url)) == 5

"""Messages follow the native payload, faults of delivery keep the books, and paces follow a clock."""

import json
from datetime import UTC, datetime

import pytest

from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput, SettingError
from services.domain.instant import HOUR_US, parse_time, to_us
from services.domain.units import Quantity, conversion
from simulators.city.models import City
from simulators.faults.delivery import DAMAGES, Damage, disturb
from simulators.messages import Message, in_columns, single
from simulators.pace import Pace
from simulators.publish import Publisher
from simulators.reading import Reading
from simulators.replay import messages, parse_recording, sensors_of
from simulators.scenario import DeliveryScenario, load_scenario

LIVE_US = to_us(datetime(2026, 3, 2, tzinfo=UTC))
READING = Reading(Domain.WATER, "M1", LIVE_US, {"register": 7.0, "battery": 90.0})


def city_readings(hours: float = 6) -> list[Reading]:
    city = City(load_scenario("city").sized(24).model_copy(update={"history_h": 0}), LIVE_US)
    return list(city.readings(LIVE_US + round(hours * HOUR_US)))


def test_a_single_message_is_the_native_payload() -> None:
    message = single(READING)
    assert message.topic == "citygauge/v1/water/M1/reading"
    assert json.loads(message.payload) == {
        "time": "2026-03-02T00:00:00Z",
        "values": {"register": 7.0, "battery": 90.0},
        "units": {"register": "L", "battery": "%"},
    }


def test_columns_hold_the_same_readings() -> None:
    readings = city_readings(1)
    found = []
    for message in in_columns(readings, 7):
        body = json.loads(message.payload)
        columns = body["columns"]
        assert len(columns["time"]) == message.readings <= 7
        assert set(body["units"]) == set(columns) - {"time", "sensor_id"}
        domain = Domain(message.topic.split("/")[2])
        for row, sensor_id in enumerate(columns["sensor_id"]):
            values = {
                name: columns[name][row] for name in body["units"] if columns[name][row] is not None
            }
            found.append(Reading(domain, sensor_id, parse_time(columns["time"][row]), values))
    assert sorted(found, key=repr) == sorted(readings, key=repr)


def test_faults_of_delivery_keep_the_books() -> None:
    sound = [single(reading) for reading in city_readings(12)]
    shares = DeliveryScenario(duplicate_share=0.05, malformed_share=0.05, late_share=0.05, late_h=3)
    sent = list(disturb(sound, shares, seed=4))
    assert [message.due_us for message in sent] == sorted(message.due_us for message in sent)
    whole = [message.payload for message in sent if message.sound]
    assert {*whole} == {message.payload for message in sound}
    twice = len(whole) - len(sound)
    damaged = [message for message in sent if not message.sound]
    late = [m for m in sent if m.due_us - m.observed_us == 3 * HOUR_US]
    assert len(late) > 5
    assert twice > 5
    assert len(damaged) > 5
    assert len(sent) == len(sound) + twice + len(damaged)
    assert sent == list(disturb(sound, shares, seed=4))
    assert list(disturb(sound, DeliveryScenario(), seed=4)) == sound


@pytest.mark.parametrize("damage", Damage)
def test_every_damage_changes_the_payload(damage: Damage) -> None:
    payload = single(READING).payload
    damaged = DAMAGES[damage](payload)
    assert damaged != payload
    if damage is Damage.UNKNOWN_UNIT:
        with pytest.raises(InvalidInput):
            conversion(Quantity.VOLUME, json.loads(damaged)["units"]["register"])
    if damage is Damage.NO_ZONE:
        with pytest.raises(InvalidInput):
            parse_time(json.loads(damaged)["time"])


def test_a_pace_follows_its_clock_and_never_runs_ahead_of_now() -> None:
    now = [100.0]
    pace = Pace(60.0, LIVE_US, clock=lambda: now[0], wall=lambda: LIVE_US + 2 * HOUR_US)
    assert pace.wait_s(LIVE_US) == 0
    assert pace.wait_s(LIVE_US + HOUR_US) == pytest.approx(60)
    now[0] += 59
    assert pace.wait_s(LIVE_US + HOUR_US) == pytest.approx(1)
    now[0] += 1000
    assert pace.wait_s(LIVE_US + HOUR_US) == 0
    assert pace.wait_s(LIVE_US + 3 * HOUR_US) == pytest.approx(3600)
    at_once = Pace(None, LIVE_US, wall=lambda: LIVE_US)
    assert at_once.wait_s(LIVE_US - HOUR_US) == 0
    assert at_once.wait_s(LIVE_US + HOUR_US) == pytest.approx(3600)
    free = Pace(None, LIVE_US, wall=lambda: LIVE_US, into_future=True)
    assert free.wait_s(LIVE_US + HOUR_US) == 0


RECORDING = """time,sensor_id,kind,metric,value
2026-01-01T00:00:00Z,S1,loop_detector,speed_kmh,100.5
2026-01-01T00:00:00Z,M1,customer_meter,register_l,7
2026-01-01T00:00:00Z,S1,loop_detector,volume_veh,12
2026-01-01T00:00:30Z,S1,loop_detector,speed_kmh,99
"""


def test_rows_of_one_sensor_and_time_become_one_message() -> None:
    recording = parse_recording(RECORDING)
    assert recording.bad == []
    assert recording.rows == 4
    grouped = list(messages(recording))
    assert [m.topic.split("/")[3] for m in grouped] == ["S1", "M1", "S1"]
    assert json.loads(grouped[0].payload)["values"] == {"speed": 100.5, "count": 12.0}
    split = list(messages(recording, split_metrics=True))
    assert sum(m.readings for m in split) == 4
    assert {s.id: (s.kind.value, s.cadence_s) for s in sensors_of(recording)} == {
        "S1": ("traffic_station", 30.0),
        "M1": ("water_meter", None),
    }


def test_every_bad_row_of_a_recording_is_named_by_line() -> None:
    bad = (
        "noon,S1,loop_detector,speed_kmh,1\n"
        "2026-01-01T00:00:30Z,S 1,loop_detector,speed_kmh,1\n"
        "2026-01-01T00:00:30Z,S2,radar,speed_kmh,1\n"
        "2026-01-01T00:00:30Z,S1,loop_detector,register_l,1\n"
        "2026-01-01T00:00:30Z,S1,customer_meter,register_l,1\n"
        "2026-01-01T00:00:30Z,S1,loop_detector,volume_veh,nan\n"
        "2026-01-01T00:00:30Z,S1,loop_detector,speed_kmh,1\n"
        "2025-12-31T00:00:30Z,S1,loop_detector,speed_kmh,1\n"
        "2026-01-01T00:00:30Z,S1,loop_detector,volume_veh\n"
    )
    recording = parse_recording(RECORDING + bad)
    assert [row.line for row in recording.bad] == list(range(6, 15))
    assert recording.rows == 4
    assert len(list(messages(recording))) == 3


@pytest.mark.parametrize("text", ["", "time,sensor,kind,metric,value\n"])
def test_another_header_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="header"):
        parse_recording(text)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="MQTT_URL"):
        Publisher("http://somewhere", "test")


def test_a_message_knows_its_first_reading() -> None:
    message = next(in_columns(city_readings(1), 100))
    assert isinstance(message, Message)
    assert message.observed_us <= message.due_us

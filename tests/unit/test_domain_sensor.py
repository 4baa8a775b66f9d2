"""A sensor is refused at the border when any part of it could not be kept, sent or drawn."""

import zlib

import pytest

from services.domain.catalogue import DOMAIN_OF_KIND, Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.sensor import SHARDS, Sensor, check_sensor_id, shard_of, units_of

METER = SensorKind.WATER_METER


@pytest.mark.parametrize("sensor_id", ["a", "0", "M-1.2_3:4@5", "meter-00017", "x" * 128])
def test_a_sensor_may_be_called(sensor_id: str) -> None:
    assert check_sensor_id(sensor_id) == sensor_id
    assert Sensor(sensor_id, METER).id == sensor_id


@pytest.mark.parametrize(
    "sensor_id",
    [
        "",
        "x" * 129,
        "-a",
        ".a",
        "a/b",
        "a+",
        "a#",
        "a b",
        "a\n",
        "a\0",
        "é",
        "\u0661",
        None,
        7,
        b"a",
    ],
)
def test_a_sensor_may_not_be_called(sensor_id: object) -> None:
    with pytest.raises(InvalidInput, match="1 to 128 letters") as refused:
        Sensor(sensor_id, METER)  # type: ignore[arg-type]
    assert refused.value.field == "sensor_id"


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "facts"),
    [
        ("kind", {"kind": "toaster"}),
        ("lon, lat", {"lon": 1.0}),
        ("lon, lat", {"lat": 1.0}),
        ("lon", {"lon": 180.1, "lat": 0.0}),
        ("lon", {"lon": NAN, "lat": 0.0}),
        ("lat", {"lon": 0.0, "lat": -90.1}),
        ("lat", {"lon": 0.0, "lat": INFINITE}),
        ("cadence_s", {"cadence_s": 0.0}),
        ("cadence_s", {"cadence_s": -60.0}),
        ("cadence_s", {"cadence_s": NAN}),
        ("cadence_s", {"cadence_s": 31 * 86400 + 1.0}),
        ("lanes", {"lanes": 0}),
        ("lanes", {"lanes": 21}),
        ("position_m", {"position_m": INFINITE}),
        ("position_m", {"position_m": NAN}),
        ("unit", {"unit": "gallons"}),
        ("unit", {"unit": "km/h"}),
        ("time_zone", {"time_zone": "Madrid"}),
        ("time_zone", {"time_zone": ""}),
        ("time_zone", {"time_zone": "Europe"}),
        ("time_zone", {"time_zone": "../../etc/passwd"}),
        ("name", {"name": ""}),
        ("zone", {"zone": "a\0b"}),
        ("road", {"road": "a\nb"}),
        ("direction", {"direction": "\ud800"}),
        ("gateway", {"gateway": "x" * 201}),
    ],
)
def test_a_wrong_fact_is_named(field: str, facts: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Sensor(**{"id": "m-1", "kind": METER, **facts})  # type: ignore[arg-type]
    assert refused.value.field == field
    assert field.split(",", maxsplit=1)[0] in str(refused.value)


def test_the_edges_are_allowed() -> None:
    sensor = Sensor(
        "m-1",
        METER,
        name="Straße des 17. Juni 100",
        lon=-180.0,
        lat=90.0,
        zone="x" * 200,
        unit="[gal_us]",
        cadence_s=31 * 86400.0,
        lanes=20,
        position_m=-0.5,
        time_zone="America/Argentina/Ushuaia",
    )
    assert sensor.domain is Domain.WATER
    assert Sensor("s-1", SensorKind.TRAFFIC_STATION, unit="[mi_i]/h").domain is Domain.TRAFFIC


@pytest.mark.parametrize("kind", SensorKind)
def test_the_domain_follows_from_the_kind(kind: SensorKind) -> None:
    assert Sensor("a", kind).domain is DOMAIN_OF_KIND[kind]


def test_neighbours_on_a_road_or_in_a_zone_share_a_shard() -> None:
    first, second = (
        Sensor(name, SensorKind.TRAFFIC_STATION, road="A-7") for name in ("s-1", "s-2")
    )
    assert first.shard == second.shard == shard_of("A-7")
    assert Sensor("m-1", METER, zone="dma-4").shard == shard_of("dma-4")
    assert Sensor("m-1", METER).shard == shard_of("m-1")


def test_shards_never_move() -> None:
    """The check value of CRC-32 (ISO 3309) is 0xCBF43926; a state on disk depends on it."""
    assert zlib.crc32(b"123456789") == 0xCBF43926
    assert shard_of("123456789") == 0x26 == 0xCBF43926 % SHARDS


def test_units_of_a_domain_are_those_of_its_metrics_without_repetition() -> None:
    water = units_of(Domain.WATER)
    assert len(set(water)) == len(water)
    assert {"L", "m3/h", "kPa", "Cel", "%"} <= set(water)
    assert "{veh}" not in water
    assert {"{veh}", "{veh}/h", "km/h", "%"} <= set(units_of(Domain.TRAFFIC))

"""Sensor files read back what was written, and name every bad row by its line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.domain.catalogue import DOMAIN_OF_KIND, SensorKind
from services.domain.sensor import Sensor, units_of
from services.domain.sensor_file import (
    BadRow,
    BadSensorFile,
    parse,
    parse_csv,
    parse_geojson,
    to_csv,
    to_geojson,
)

printable = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
words = st.lists(printable, min_size=1, max_size=3).map(" ".join)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def sensors(draw: st.DrawFn) -> Sensor:
    kind = draw(st.sampled_from(SensorKind))
    placed = draw(st.booleans())
    return Sensor(
        id=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,20}", fullmatch=True)),
        kind=kind,
        name=draw(st.none() | words),
        lon=draw(st.floats(-180, 180)) if placed else None,
        lat=draw(st.floats(-90, 90)) if placed else None,
        zone=draw(st.none() | words),
        road=draw(st.none() | words),
        direction=draw(st.none() | words),
        position_m=draw(st.none() | finite),
        lanes=draw(st.none() | st.integers(1, 20)),
        area_m2=draw(st.none() | st.floats(0.01, 1e6)),
        unit=draw(st.none() | st.sampled_from(units_of(DOMAIN_OF_KIND[kind]))),
        cadence_s=draw(st.none() | st.floats(0.001, 31 * 86400)),
        time_zone=draw(st.sampled_from(["UTC", "Europe/Madrid", "America/Chicago"])),
        gateway=draw(st.none() | words),
    )


on_any_machine = settings(max_examples=60)
files = st.lists(sensors(), unique_by=lambda sensor: sensor.id, max_size=8)


@on_any_machine
@given(files)
def test_csv_reads_back_exactly(written: list[Sensor]) -> None:
    read = parse_csv(to_csv(written))
    assert read.sensors == tuple(written)
    assert read.bad == ()


@on_any_machine
@given(files)
def test_geojson_reads_back_exactly(written: list[Sensor]) -> None:
    read = parse_geojson(to_geojson(written))
    assert read.sensors == tuple(written)
    assert read.bad == ()


def test_every_bad_row_of_a_csv_is_named_by_line() -> None:
    text = (
        "id,kind,lon,lat,lanes,name\n"
        "M1,water_meter,2.5,41.5,,one\n"
        "M 2,water_meter,,,,\n"
        'M3,water_meter,,,,"two\nlines"\n'
        "M4,gas_meter,,,,\n"
        "\n"
        "M5,water_meter,east,41,,\n"
        "M6,water_meter,2.5,,,\n"
        "M7,water_meter\n"
        "M8,traffic_station,,,2.5,\n"
        "M1,water_meter,,,,\n"
        ",water_meter,,,,\n"
        "M9,water_meter,nan,1,,\n"
    )
    read = parse_csv(text)
    assert [sensor.id for sensor in read.sensors] == ["M1"]
    assert [row.line for row in read.bad] == [3, 4, 6, 8, 9, 10, 11, 12, 13, 14]
    reasons = {row.line: row.reason for row in read.bad}
    assert "sensor_id" in reasons[3]
    assert "printable" in reasons[4]
    assert "gas_meter" in reasons[6]
    assert "lon" in reasons[8]
    assert "give both or neither" in reasons[9]
    assert "2 cells" in reasons[10]
    assert "whole number" in reasons[11]
    assert "line 2 already" in reasons[12]
    assert reasons[13].startswith("id:")


def test_every_bad_feature_is_named_by_line() -> None:
    good = {"type": "Feature", "geometry": None, "properties": {"id": "A", "kind": "pump"}}
    text = (
        '{"name": "features", "extra": {"features": [1, 2]},\n"type": "FeatureCollection",\n'
        f'"features": [{json.dumps(good)},\n'
        '{"type": "Feature", "geometry": null, "properties": {"id": "B", "kind": "pumpe"}},\n\n'
        '{"type": "Feature", "geometry": {"type": "Polygon"},'
        ' "properties": {"id": "C", "kind": "pump"}}, 7,\n'
        '{"type": "Feature", "geometry": null, "properties": {"id": "D", "knd": "pump"}}]}\n'
    )
    read = parse_geojson(text)
    assert [sensor.id for sensor in read.sensors] == ["A"]
    assert [row.line for row in read.bad] == [4, 6, 6, 7]
    assert "did you mean 'kind'" in read.bad[3].reason


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "lacks the column 'id'"),
        ("a.csv", "id,kynd\n", "did you mean 'kind'"),
        ("a.csv", "id,kind,id\n", "twice"),
        ("a.csv", 'id,kind\n"M1,pump\n', "not readable as CSV"),
        ("a.geojson", '{"type":\n nope}', "line 2"),
        ("a.geojson", "[]", "not a GeoJSON"),
        ("a.geojson", '{"type": "FeatureCollection"}', "no list of features"),
        ("a.txt", "", "ends in .csv"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(name: str, text: str, said: str) -> None:
    with pytest.raises(BadSensorFile, match=said):
        parse(name, text)


def test_a_byte_order_mark_and_any_order_of_columns_are_understood() -> None:
    read = parse_csv("\ufeffkind,id\r\npump,P1\r\n")
    assert read.sensors == (Sensor("P1", SensorKind.PUMP),)
    assert read.bad == ()
    assert parse_csv("kind,id\npump,\n").bad == (
        BadRow(2, "id: None is not valid; every sensor has one"),
    )

"""Recordings as spreadsheets write them: local times, decimal commas, other cases and encodings; never guessed."""

from __future__ import annotations

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.detect.recorded.recordings import read_case, read_recording
from services.detect.recorded.writing import Writing
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time
from tests.unit.test_detect_backtest import command
from tests.unit.test_detect_recordings import case

MADRID = Writing(ZoneInfo("Europe/Madrid"))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31 13:45", "2026-01-31T12:45:00Z"),
        ("2026-07-31T13:45:10", "2026-07-31T11:45:10Z"),
        ("31.07.2026 13:45", "2026-07-31T11:45:00Z"),
        ("1.7.2026 3:45:00", "2026-07-01T01:45:00Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ("2026-07-31T13:45:10Z", "2026-07-31T13:45:10Z"),
        ("2026-07-31T13:45:10+03:00", "2026-07-31T10:45:10Z"),
    ],
)
def test_a_local_time_is_that_of_its_zone(text: str, instant: str) -> None:
    assert MADRID.instant(text) == parse_time(instant)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-29 02:30", "clocks were put forward"),
        ("31.13.2026 10:00", "month"),
        ("yesterday", "RFC 3339"),
        ("07/31/2026 10:00", "RFC 3339"),
    ],
)
def test_what_was_no_time_there_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        MADRID.instant(text)


def test_a_local_time_without_a_zone_names_the_option() -> None:
    with pytest.raises(InvalidInput, match="--time-zone"):
        Writing().instant("2026-01-31 13:45")


@pytest.mark.parametrize(("text", "value"), [("17,5", 17.5), ("-3", -3.0), ("1e3", 1000.0)])
def test_a_decimal_comma_is_read_where_it_is_said(text: str, value: float) -> None:
    assert Writing(decimal_comma=True).number(text) == value


@pytest.mark.parametrize("text", ["1.234,5", "1.234", "1,2,3", "abc"])
def test_marks_that_mean_two_things_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Writing(decimal_comma=True).number(text)


def test_a_comma_without_the_option_names_it() -> None:
    with pytest.raises(InvalidInput, match="--decimal-comma"):
        Writing().number("17,5")


def test_a_spreadsheet_s_file_is_the_same_case(tmp_path: Path) -> None:
    usual = "".join(f"2026-06-01T0{i}:00:00Z,A,customer_meter,register_l,{i}.5\n" for i in range(9))
    wanted = read_recording(case(tmp_path / "usual", usual))
    sheet = "Time;Sensor_ID;Kind;Metric;Value\r\n" + "".join(
        f"01.06.2026 {i + 2:02d}:00;A;customer_meter;register_l;{i},5\r\n" for i in range(9)
    )
    for name, raw in (
        ("excel", sheet.encode("utf-8-sig")),
        ("unicode", sheet.encode("utf-16")),
        ("packed", gzip.compress(sheet.encode("utf-16"))),
    ):
        file = tmp_path / name / ("readings.csv" + (".gz" if name == "packed" else ""))
        file.parent.mkdir()
        file.write_bytes(raw)
        found = read_recording(file.parent, Writing(ZoneInfo("Europe/Berlin"), decimal_comma=True))
        one, other = (each.batches[Domain.WATER] for each in (wanted, found))
        assert other.observed_us.tolist() == one.observed_us.tolist()
        assert other.metrics["register_litres"].tolist() == one.metrics["register_litres"].tolist()


@pytest.mark.parametrize(
    ("metric", "column", "value"),
    [
        ("register_m3", "register_litres", 2000.0),
        ("flow_lps", "flow_litres_per_h", 7200.0),
        ("pressure_bar", "pressure_kpa", 200.0),
        ("speed_mph", "speed_km_per_h", 3.218688),
    ],
)
def test_units_that_people_have_become_canonical(
    tmp_path: Path, metric: str, column: str, value: float
) -> None:
    text = f"2026-06-01T00:00:00Z,A,,{metric},2\n"
    (batch,) = read_recording(case(tmp_path, text)).batches.values()
    assert batch.metrics[column].tolist() == pytest.approx([value])


def test_the_command_takes_the_zone_for_its_bounds_too(tmp_path: Path) -> None:
    folder = case(tmp_path, "2026-06-01 00:00,A,customer_meter,register_l,2\n" * 3)
    zone = ("--time-zone", "Europe/Madrid")
    status, _, said = command(folder)
    assert (status, "3 of 3 are not" in said, "--time-zone" in said) == (2, True, True)
    assert command(folder, *zone, "--from", "2026-05-01 00:00", "--to", "01.07.2026 00:00")[0] == 0
    assert "--time-zone" in command(folder, *zone[:1], "Mars/Base")[2]
    assert "--from" in command(folder, "--from", "2026-05-01 00:00")[2]


def test_a_header_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="sensor_id, metric cannot be found"):
        read_case(case(tmp_path, "", header="Time,meter,value\n"))

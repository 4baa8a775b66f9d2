"""Tables as people's programs write them: semicolons, tabs, a byte order mark, times as numbers, other encodings."""

from pathlib import Path

import pytest

from services.cli.backtest import backtest
from services.cli.replay import replay
from services.detect.recorded.recordings import read_case
from services.domain import sensor_file
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.csv_text import delimiter, text_of
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time, parse_written_time
from services.domain.recording import RECORDED_METRICS, recorded_metric
from simulators.replay import parse_recording

ROWS = [
    ["time", "sensor_id", "kind", "metric", "value"],
    ["2026-01-31T13:45:00Z", "S1", "customer_meter", "register_l", "2.5"],
    ["1769867100", "S2", "water_meter", "register_litres", "7"],
    ["1769867100000", "S3", "station", "speed_km_per_h", "30"],
]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_recording_is_read_whatever_stands_between_its_cells(mark: str, tmp_path: Path) -> None:
    text = "\ufeff" + "".join(mark.join(row) + "\r\n" for row in ROWS)
    (tmp_path / "readings.csv").write_bytes(text.encode())
    case = read_case(tmp_path)
    assert (case.lines, case.bad.count, case.unwatched) == (3, 0, {})
    assert [sensor.id for sensor in case.sensors] == ["S1", "S2", "S3"]
    replayed = parse_recording(text.removeprefix("\ufeff"))
    assert replayed.bad == []
    assert {reading.observed_us for reading in replayed.readings} == {
        parse_time("2026-01-31T13:45:00Z")
    }
    assert [list(reading.values.items()) for reading in replayed.readings] == [
        [("register", 2.5)], [("register", 7.0)], [("speed", 30.0)],
    ]  # fmt: skip


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_sensor_file_is_read_whatever_stands_between_its_cells(mark: str) -> None:
    text = f'id{mark}kind{mark}name\r\nM-1{mark}water_meter{mark}"Mayor 3, 2º; B"\r\n'
    (sensor,) = sensor_file.parse("a.csv", text).sensors
    assert sensor.name == "Mayor 3, 2º; B"


def test_a_decimal_comma_is_named_and_not_guessed() -> None:
    (bad,) = sensor_file.parse("a.csv", "id;kind;lon;lat\nM-1;water_meter;-0,88;41.6\n").bad
    assert bad.reason == "lon: '-0,88' is not valid; a number, with a decimal point"


def test_a_header_of_one_column_stands_by_itself() -> None:
    assert delimiter("id") == ","
    assert delimiter("a,b;c,d") == ","


@pytest.mark.parametrize(
    "text", ["20260131", "12", "1e12", "1769867100x", "-1769867100", "", "nan"]
)
def test_what_may_be_a_date_without_marks_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(InvalidInput, match="RFC 3339"):
        parse_written_time(text)


def test_bytes_that_are_not_utf_8_are_named_by_line() -> None:
    assert text_of("\ufeffid\nCaño".encode(), "a.csv") == "id\nCaño"
    with pytest.raises(InvalidInput, match=r"a\.csv: 'byte 0xf1 on line 2' is not valid; UTF-8"):
        text_of("id\nCaño".encode("latin-1"), "a.csv")


@pytest.mark.parametrize("command", [backtest, replay])
def test_a_command_that_reads_recordings_says_which_metrics_they_may_have(command: object) -> None:
    said = (command.__doc__ or "").replace("\n", " ")
    assert [word for word in RECORDED_METRICS if f" {word}" not in said] == []


def test_every_column_of_the_catalogue_is_a_recorded_metric_of_its_domain() -> None:
    for domain, other in ((Domain.WATER, Domain.TRAFFIC), (Domain.TRAFFIC, Domain.WATER)):
        for metric in CATALOGUE[domain].metrics:
            assert recorded_metric(domain, metric.column) == (metric, metric.unit)
            assert recorded_metric(other, metric.column) is None
    assert recorded_metric(Domain.TRAFFIC, "flow_m3h") is None  # a road's flow is of vehicles

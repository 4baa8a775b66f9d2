"""What a command is asked to write, where it cannot be written: one sentence before the work, and no half of a file."""

import io
import uuid
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.cli.commands import application
from services.cli.listing import listing, print_listing
from services.cli.output import write_file, write_sensors
from services.cli.simulate import LAST_S, last_s
from services.domain.errors import InvalidInput

CASE = "time,sensor_id,kind,metric,value\n2026-01-01T00:00:00Z,M1,customer_meter,register_l,1\n"


@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("--alerts", ("backtest", "case")),
        ("--scores", ("backtest", "case")),
        ("--html", ("score", "case", "alerts.jsonl")),
        ("--out", ("tune", "case")),
        ("--truth", ("simulate", "water", "--no-publish")),
        ("--sensors-out", ("simulate", "water", "--no-publish")),
        ("--sensors-out", ("replay", "case/readings.csv", "--mqtt-url", "mqtt://127.0.0.1:1")),
    ],
)
def test_a_place_that_cannot_be_written_is_named(
    option: str, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case/readings.csv").write_text(CASE)
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(application(), [*command, option, "file/out.csv"])
    assert isinstance(done.exception, InvalidInput), done.output
    assert f"{option}: 'file/out.csv' is not valid; a file that can be written" in str(
        done.exception
    )


def test_folders_are_made_and_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "of a year" / "a.csv"
    write_file("--out", path, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    with pytest.raises(InvalidInput, match="it is a folder"):
        write_file("--out", path.parent, "")


def test_a_sensor_file_of_no_known_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"ends in \.csv or \.geojson"):
        write_sensors("file", tmp_path / "sensors.txt", [])
    write_sensors("file", tmp_path / "SENSORS.CSV", [])
    assert (tmp_path / "SENSORS.CSV").read_text().startswith("id,kind,")


def test_no_cell_of_a_listing_is_cut_short() -> None:
    identity, topic = str(uuid.UUID(int=1)), "citygauge/v1/water/" + "M" * 60
    table = listing("id", "topic", "reason", whole="id")
    table.add_row(identity, topic, "a hydrant that is flushed each week")
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert identity in lines[1]
    assert (
        "".join(line[38:].split()[0] for line in lines[1:] if line[38:62].strip()).count("M") == 60
    )
    assert "…" not in console.file.getvalue()


def test_a_pipe_gets_a_row_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    table = listing("id", "topic", "reason")
    table.add_row("7", "citygauge/v1/water/" + "M" * 60, "a hydrant that is flushed each week " * 3)
    print_listing(table)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["id", "7"]


def test_who_sets_a_time_waits_little_for_what_is_on_its_way() -> None:
    stop = Event()
    assert (last_s(stop, 3.0), last_s(stop, None)) == (LAST_S, 60.0)
    stop.set()
    assert last_s(stop, None) == LAST_S

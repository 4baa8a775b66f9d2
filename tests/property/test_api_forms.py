"""Forms of a table: whatever the numbers, each form reads back to the same table, and no cell is a formula."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.errors import FormMissing, NotAcceptable
from services.api.history.forms import arrow
from services.api.history.forms.negotiation import (
    MEDIA_TYPES,
    SUFFIXES,
    TABLES,
    Coding,
    Form,
    choose,
    coding,
    compressed,
)
from services.api.history.forms.table import NO_TIME, Column, ColumnKind, Table, Words
from services.api.history.forms.text import TimeForm
from services.api.history.forms.writers import WRITERS, written
from services.domain.instant import to_us

US = st.integers(0, 4_000_000_000_000_000)
ROW = st.tuples(
    st.one_of(US, st.just(NO_TIME)),
    st.integers(-1, 2),
    st.one_of(st.floats(allow_infinity=False), st.just(float("nan"))),
    st.integers(0, 31),
    st.booleans(),
)
TEXTS = ("M-17", '=HYPERLINK("x")', "Zone, 3")
COLUMNS = (
    Column("time", ColumnKind.TIME),
    Column("name", ColumnKind.WORD),
    Column("flow_litres_per_h", ColumnKind.NUMBER, "L/h"),
    Column("quality", ColumnKind.INTEGER),
    Column("imputed", ColumnKind.FLAG),
)
Row = tuple[int, int, float, int, bool]


def table(rows: list[Row], block: int = 4) -> Table:
    def blocks() -> Iterator[dict[str, object]]:
        for at in range(0, max(len(rows), 1), block):
            part = rows[at : at + block]
            time, code, flow, quality, imputed = ([row[i] for row in part] for i in range(5))
            yield {
                "time": np.array(time, np.int64),
                "name": Words(np.array(code, np.int32), TEXTS),
                "flow_litres_per_h": np.array(flow, np.float64),
                "quality": np.array(quality, np.int16),
                "imputed": np.array(imputed, np.bool_),
            }

    return Table(COLUMNS, blocks(), {"start": "2026"})  # type: ignore[arg-type]


def plain(rows: list[Row]) -> list[list[object]]:
    return [
        [
            None if us == NO_TIME else us,
            None if code < 0 else TEXTS[code],
            None if np.isnan(flow) else flow,
            quality,
            imputed,
        ]
        for us, code, flow, quality, imputed in rows
    ]


def whole(rows: list[Row], form: Form, times: TimeForm = TimeForm.EPOCH_US) -> bytes:
    return b"".join(written(table(rows, max(len(rows), 1)), form, times))


@given(st.lists(ROW, max_size=12))
@settings(max_examples=60)
def test_every_form_reads_back(rows: list[Row]) -> None:
    expected = plain(rows)
    names = [each.name for each in COLUMNS]
    columns = json.loads(whole(rows, Form.JSON))["columns"]
    assert [list(row) for row in zip(*columns.values(), strict=True)] == expected
    by_rows = json.loads(whole(rows, Form.ROWS))["rows"]
    assert [list(row.values()) for row in by_rows] == expected
    lines = b"".join(written(table(rows), Form.NDJSON, TimeForm.EPOCH_US)).splitlines()
    assert [list(json.loads(line).values()) for line in lines] == expected
    for form, opened in ((Form.ARROW, pa.ipc.open_stream), (Form.PARQUET, pq.ParquetFile)):
        data = b"".join(written(table(rows), form, TimeForm.EPOCH_US))
        read = opened(pa.BufferReader(data))
        found = read.read_all() if form is Form.ARROW else read.read()
        assert found.column_names == names
        assert [list(row.values()) for row in found.to_pylist()] == expected
        assert found.schema.field("flow_litres_per_h").metadata[b"unit"] == b"L/h"


@given(st.lists(ROW, max_size=12))
@settings(max_examples=60)
def test_csv_reads_back_and_computes_nothing(rows: list[Row]) -> None:
    text = b"".join(written(table(rows), Form.CSV, TimeForm.EPOCH_US)).decode()
    head, *lines = csv.reader(io.StringIO(text, newline=""))
    assert head == [each.name for each in COLUMNS]
    assert len(lines) == len(rows)
    for line, (us, name, flow, quality, imputed) in zip(lines, plain(rows), strict=True):
        assert line[0] == ("" if us is None else str(us))
        assert line[1].removeprefix("'") == (name or "")
        assert not line[1].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert (line[2] == "") if flow is None else (float(line[2]) == flow)
        assert line[3:] == [str(quality), str(imputed).lower()]


@given(st.lists(US, min_size=1, max_size=5))
def test_times_are_written_as_asked(us: list[int]) -> None:
    rows: list[Row] = [(each, 0, 1.0, 0, False) for each in us]
    iso = json.loads(whole(rows, Form.JSON, TimeForm.ISO))["columns"]["time"]
    assert [to_us(datetime.fromisoformat(each)) for each in iso] == us
    for form, divisor in ((TimeForm.EPOCH_S, 1e6), (TimeForm.EPOCH_MS, 1e3)):
        for kind in (Form.JSON, Form.ARROW):
            data = whole(rows, kind, form)
            if kind is Form.JSON:
                found = json.loads(data)["columns"]["time"]
            else:
                found = pa.ipc.open_stream(pa.BufferReader(data)).read_all()["time"].to_pylist()
            assert found == pytest.approx([each / divisor for each in us], rel=1e-15)
    stamped = pa.ipc.open_stream(pa.BufferReader(whole(rows, Form.ARROW, TimeForm.ISO))).read_all()
    assert stamped.schema.field("time").type == pa.timestamp("us", "UTC")
    assert [to_us(each) for each in stamped["time"].to_pylist()] == us


def test_every_form_has_a_writer_a_type_and_a_suffix() -> None:
    assert set(WRITERS) == set(TABLES)
    assert set(MEDIA_TYPES) == set(SUFFIXES) == set(Form)


@pytest.mark.parametrize(
    ("asked", "accept", "form"),
    [
        (None, None, Form.JSON),
        (None, "*/*", Form.JSON),
        (None, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Form.JSON),
        (None, "text/csv", Form.CSV),
        (None, "application/json;q=0.5, application/vnd.apache.arrow.stream", Form.ARROW),
        (None, "text/*", Form.CSV),
        (None, "application/json;q=0, text/csv;q=0.1", Form.CSV),
        (Form.PARQUET, "text/csv", Form.PARQUET),
    ],
)
def test_a_form_is_chosen(asked: Form | None, accept: str | None, form: Form) -> None:
    assert choose(asked, accept, TABLES) is form


@pytest.mark.parametrize("accept", ["text/html", "image/png", "text/csv;q=0", "text/csv;q=x", ","])
def test_a_form_that_is_not_there_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/csv"):
        choose(None, accept, TABLES)
    with pytest.raises(NotAcceptable):
        choose(Form.GEOJSON, None, TABLES)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, None),
        ("identity", None),
        ("gzip, deflate, br", Coding.GZIP),
        ("gzip, zstd", Coding.ZSTD),
        ("gzip;q=1.0, zstd;q=0.5", Coding.GZIP),
        ("gzip;q=0", None),
        ("*", Coding.ZSTD),
    ],
)
def test_a_compression_is_chosen(accept: str | None, chosen: Coding | None) -> None:
    assert coding(accept, Form.CSV) is chosen
    assert coding(accept, Form.PARQUET) is None


def test_without_pyarrow_two_forms_are_refused_and_the_others_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrow, "find_spec", lambda name: None)
    for form in (Form.ARROW, Form.PARQUET):
        with pytest.raises(FormMissing, match="citygauge\\[arrow\\]"):
            written(table([]), form, TimeForm.ISO)
    assert whole([], Form.CSV).startswith(b"time,")


def test_a_stream_holds_one_row_group_at_a_time() -> None:
    """Ten row groups are given away as they are made: nothing gathers in memory until the end."""
    rows = arrow.ROW_GROUP_ROWS
    made = 0

    def blocks() -> Iterator[dict[str, object]]:
        nonlocal made
        for i in range(10):
            made = i + 1
            yield {"v": np.random.default_rng(i).random(rows)}

    endless = Table((Column("v", ColumnKind.NUMBER),), blocks())  # type: ignore[arg-type]
    pieces = compressed(written(endless, Form.PARQUET, TimeForm.ISO), None)
    first = next(pieces)
    assert made == 1
    assert len(first) < rows * 9
    data = first + b"".join(pieces)
    assert pq.ParquetFile(pa.BufferReader(data)).metadata.num_row_groups == 10


def test_values_that_repeat_are_kept_once_however_small_the_first_block_is() -> None:
    """An export's first windows are short: what repeats shows in a whole row group."""
    random = np.random.default_rng(1)

    def block(rows: int) -> dict[str, object]:
        return {"few": random.integers(0, 20, rows) / 10, "many": random.random(rows)}

    columns = (Column("few", ColumnKind.NUMBER), Column("many", ColumnKind.NUMBER))
    blocks = (block(rows) for rows in (1, 8, 20_000))
    data = b"".join(written(Table(columns, blocks), Form.PARQUET, TimeForm.ISO))  # type: ignore[arg-type]
    group = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0)
    assert group.num_rows == 20_009
    assert [group.column(i).has_dictionary_page for i in range(2)] == [True, False]

"""The API's own arithmetic: JSON of columns, buckets and their grid, durations, cursors of time."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError

from services.api.answers import column, encoded, times
from services.api.buckets import STEPS_S, count, fitting, grid
from services.api.parameters import LONGEST_BUCKET_S, Bucket, Instant, duration
from services.domain.instant import from_us, isoformat, to_us

MOMENTS = st.integers(31_536_000_000_000, 5_990_000_000_000_000).map(from_us)
BUCKET: TypeAdapter[int] = TypeAdapter(Bucket)
INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@given(st.lists(st.integers(-(10**16), 10**16), max_size=30))
def test_times_are_those_of_the_domain(us: list[int]) -> None:
    written = json.loads(bytes(times(np.array(us, np.int64))))
    assert [to_us(datetime.fromisoformat(each)) for each in written] == us
    if all(each % 1_000_000 == 0 for each in us):
        assert written == [isoformat(each) for each in us]


@given(arrays(np.float64, st.integers(0, 30), elements=st.floats(allow_nan=True)))
def test_a_column_keeps_its_numbers_and_its_gaps(values: np.ndarray) -> None:
    read = json.loads(encoded({"v": column(values)}))["v"]
    assert read == [float(v) if np.isfinite(v) else None for v in values]


@given(st.integers(1, LONGEST_BUCKET_S))
def test_a_duration_reads_back(seconds: int) -> None:
    assert BUCKET.validate_python(duration(seconds)) == seconds
    assert BUCKET.validate_python(str(seconds)) == seconds


@given(st.text(max_size=12))
def test_a_bucket_is_positive_or_refused(text: str) -> None:
    try:
        seconds = BUCKET.validate_python(text)
    except ValidationError as error:
        seconds = None
        sentence = str(error)
    if seconds is None:
        assert "ISO 8601" in sentence
    else:
        assert 1 <= seconds <= LONGEST_BUCKET_S


@given(MOMENTS)
def test_an_instant_reads_back(moment: datetime) -> None:
    assert INSTANT.validate_python(moment.isoformat()) == moment
    local = moment.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert INSTANT.validate_python(local.isoformat()) == moment


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "now", "", "NaN", "1e9"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(text)


@given(
    MOMENTS,
    st.integers(1, 40 * 86_400),
    st.sampled_from(STEPS_S),
    st.sampled_from(["UTC", "Europe/Madrid", "America/Santiago", "Pacific/Apia"]),
)
def test_the_grid_covers_the_range_without_holes(
    start: datetime, seconds: int, bucket_s: int, zone: str
) -> None:
    end = start + timedelta(seconds=seconds)
    if count(start, end, bucket_s) > 5000:
        bucket_s = fitting(start, end, 5000)
    edges = grid(start, end, bucket_s, zone)
    assert edges[0] <= to_us(start) or zone != "UTC"
    assert edges[-1] < to_us(end)
    assert len(edges) <= count(start, end, bucket_s)
    widths = np.diff(edges) / 1e6
    assert (np.abs(widths - bucket_s) <= 86_400 * (bucket_s % 86_400 == 0)).all()
    if bucket_s % 86_400 == 0 and zone == "Europe/Madrid":
        assert {from_us(int(us)).astimezone(ZoneInfo(zone)).hour for us in edges} == {0}


@given(MOMENTS, st.integers(1, 10**9), st.integers(3, 10_000))
def test_the_bucket_that_is_named_fits(start: datetime, seconds: int, most: int) -> None:
    end = start + timedelta(seconds=seconds)
    named = fitting(start, end, most)
    assert count(start, end, named) <= most or named == STEPS_S[-1]

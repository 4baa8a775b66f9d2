"""Lengths of buckets, the way back on the calendar, and what stands in a gap: each against its slow, plain version."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError

from services.api.history.gaps import Gaps, filled
from services.api.history.lengths import Bucket, Length, Shift, parse
from services.domain.buckets import Calendar, FixedBuckets, LocalBuckets
from services.domain.instant import from_us, to_us

ZONES = st.sampled_from(["UTC", "Europe/Madrid", "America/Santiago", "Australia/Lord_Howe"])
MOMENTS = st.integers(946_684_800_000_000, 4_000_000_000_000_000)
BUCKET: TypeAdapter[Length] = TypeAdapter(Bucket)
SHIFT: TypeAdapter[Length] = TypeAdapter(Shift)


@given(
    st.one_of(
        st.builds(Length, st.just(0), st.integers(1, 366 * 86_400)),
        st.builds(Length, st.integers(1, 12), st.just(0)),
    )
)
def test_a_length_reads_back(length: Length) -> None:
    assert BUCKET.validate_python(length.text) == length


@pytest.mark.parametrize(
    ("text", "buckets"),
    [
        ("PT15M", FixedBuckets(900)),
        ("900", FixedBuckets(900)),
        ("PT36H", FixedBuckets(129_600)),
        ("PT24H", LocalBuckets(Calendar.DAY, "Europe/Madrid")),
        ("P1D", LocalBuckets(Calendar.DAY, "Europe/Madrid")),
        ("P14D", LocalBuckets(Calendar.WEEK, "Europe/Madrid", 2)),
        ("P1W", LocalBuckets(Calendar.WEEK, "Europe/Madrid")),
        ("P3M", LocalBuckets(Calendar.MONTH, "Europe/Madrid", 3)),
        ("P1Y", LocalBuckets(Calendar.YEAR, "Europe/Madrid")),
    ],
)
def test_a_length_cuts_by_clock_or_by_calendar(text: str, buckets: object) -> None:
    assert BUCKET.validate_python(text).buckets("Europe/Madrid") == buckets


@given(st.text(max_size=12))
def test_a_bucket_is_positive_or_refused(text: str) -> None:
    try:
        found = BUCKET.validate_python(text)
    except ValidationError as error:
        found, sentence = None, str(error)
    if found is None:
        assert "ISO 8601" in sentence
    else:
        assert found.seconds > 0 or 0 < found.months <= 12


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "0", "PT0S", "P1M1D", "P13M", "-PT1H", "P2Y", "P367D", "1h"]
)
def test_what_is_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="ISO 8601"):
        BUCKET.validate_python(text)


@pytest.mark.parametrize("text", ["PT1H", "P0D", "P11Y", "week", "P1DT1H"])
def test_what_is_no_way_back_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="ISO 8601"):
        SHIFT.validate_python(text)


@given(st.lists(MOMENTS, min_size=1, max_size=10), st.integers(1, 400), ZONES)
def test_days_back_keep_the_local_time(us: list[int], days: int, name: str) -> None:
    zone = ZoneInfo(name)
    found = Length(0, days * 86_400).all_before(np.array(us, np.int64), name)
    for each, back in zip(us, found.tolist(), strict=True):
        local = from_us(each).astimezone(zone)
        plain = local.replace(tzinfo=None) - timedelta(days=days)
        there = {to_us(plain.replace(tzinfo=zone, fold=fold).astimezone(UTC)) for fold in (0, 1)}
        exists = any(from_us(x).astimezone(zone).replace(tzinfo=None) == plain for x in there)
        if exists:
            assert back in there
        else:  # the clocks were put forward over it
            assert min(abs(back - x) for x in there) <= 3_600_000_000


def test_months_back_end_where_the_month_does() -> None:
    moment = datetime(2024, 3, 31, 12, tzinfo=ZoneInfo("Europe/Madrid"))
    found = Length(1, 0).before(moment, "Europe/Madrid").astimezone(ZoneInfo("Europe/Madrid"))
    assert (found.month, found.day, found.hour) == (2, 29, 12)
    leap = datetime(2024, 2, 29, tzinfo=UTC)
    assert Length(12, 0).before(leap, "UTC") == datetime(2023, 2, 28, tzinfo=UTC)


def plain_filled(
    row: list[float], at: list[int], how: Gaps, longest: int | None
) -> tuple[list[float], list[bool]]:
    """One value at a time."""
    new, marks = list(row), [False] * len(row)
    for i, value in enumerate(row):
        if value == value:
            continue
        before = next((j for j in range(i - 1, -1, -1) if row[j] == row[j]), None)
        after = next((j for j in range(i + 1, len(row)) if row[j] == row[j]), None)
        if before is None or (how is Gaps.INTERPOLATE and after is None):
            continue
        length = (at[after] if after is not None else at[i]) - at[before]
        if longest is not None and length > longest:
            continue
        marks[i] = True
        if how is Gaps.HOLD:
            new[i] = row[before]
        else:
            assert after is not None
            share = (at[i] - at[before]) / (at[after] - at[before])
            new[i] = row[before] + (row[after] - row[before]) * share
    return new, marks


@given(
    arrays(np.float64, (2, 7), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))),
    st.sampled_from([Gaps.HOLD, Gaps.INTERPOLATE]),
    st.sampled_from([None, 10, 25]),
)
def test_gaps_are_filled_as_asked_and_marked(
    values: np.ndarray, how: Gaps, longest: int | None
) -> None:
    at = np.arange(7, dtype=np.int64) * 10
    found, imputed = filled(values, at, how, longest)
    for row, new, marks in zip(values.tolist(), found, imputed, strict=True):
        expected, expected_marks = plain_filled(row, at.tolist(), how, longest)
        assert new == pytest.approx(expected, nan_ok=True)
        assert marks.tolist() == expected_marks
    untouched, none = filled(values, at, Gaps.NULL, None)
    assert untouched is values
    assert not none.any()


def test_no_length_is_none() -> None:
    assert parse("P1Y2M") == Length(14, 0)
    assert parse("P1MT1S") is None

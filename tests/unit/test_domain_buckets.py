"""Buckets of time against the calendar of a zone, asked hour by hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.domain.buckets import Calendar, FixedBuckets, LocalBuckets
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US, HOUR_US, SECOND_US, from_us, to_us

MADRID = "Europe/Madrid"
SPRING = to_us(datetime(2026, 3, 27, 15, 20, tzinfo=UTC))
AUTUMN = to_us(datetime(2026, 10, 23, 15, 20, tzinfo=UTC))


def bounds(*texts: str) -> list[int]:
    return [to_us(datetime.fromisoformat(text)) for text in texts]


def test_fixed_buckets_are_those_of_time_bucket() -> None:
    start, end = bounds("2000-01-03T00:00:05+00:00", "2000-01-03T00:00:22+00:00")
    assert FixedBuckets(7).edges_us(start, end).tolist() == bounds(
        *(f"2000-01-03T00:00:{second:02}+00:00" for second in (0, 7, 14, 21, 28))
    )
    weeks = FixedBuckets(7 * 86_400).edges_us(start, end)
    assert [from_us(us).weekday() for us in weeks] == [0, 0]


def test_a_bound_of_the_range_is_no_bucket_of_its_own() -> None:
    edges = FixedBuckets(3600).edges_us(0, 2 * HOUR_US)
    assert edges.tolist() == [0, HOUR_US, 2 * HOUR_US]
    day = LocalBuckets(Calendar.DAY, "UTC").edges_us(0, 2 * DAY_US)
    assert day.tolist() == [0, DAY_US, 2 * DAY_US]


@pytest.mark.parametrize(("start", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_a_day_of_changing_clocks_is_one_bucket(start: int, hours: int) -> None:
    edges = LocalBuckets(Calendar.DAY, MADRID).edges_us(start, start + 3 * DAY_US)
    lengths = np.diff(edges) // HOUR_US
    assert lengths.tolist() == [24, 24, hours, 24][: len(lengths)]
    assert all(from_us(us).astimezone(ZoneInfo(MADRID)).hour == 0 for us in edges)


@pytest.mark.parametrize(
    "zone", [MADRID, "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]
)
@pytest.mark.parametrize("start", [SPRING, AUTUMN, to_us(datetime(2026, 3, 6, tzinfo=UTC))])
def test_local_hours_begin_where_the_local_minute_is_zero(zone: str, start: int) -> None:
    end = start + 5 * DAY_US
    edges = LocalBuckets(Calendar.HOUR, zone).edges_us(start, end)
    minutes = range(start - HOUR_US, end + HOUR_US, 60 * SECOND_US)
    minutes = range(
        minutes.start // (60 * SECOND_US) * 60 * SECOND_US, end + HOUR_US, 60 * SECOND_US
    )
    full = [us for us in minutes if from_us(us).astimezone(ZoneInfo(zone)).minute == 0]
    first = max(us for us in full if us <= start)
    assert edges.tolist() == [us for us in full if first <= us <= min(u for u in full if u >= end)]


def test_the_hour_that_a_clock_repeats_is_two_buckets() -> None:
    start, end = bounds("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00")
    edges = LocalBuckets(Calendar.HOUR, MADRID).edges_us(start, end)
    assert len(edges) == 26
    assert set(np.diff(edges).tolist()) == {HOUR_US}


def test_quarters_of_a_day_of_25_hours() -> None:
    start, end = bounds("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00")
    edges = LocalBuckets(Calendar.HOUR, MADRID, 6).edges_us(start, end)
    assert (np.diff(edges) // HOUR_US).tolist() == [7, 6, 6, 6]


def test_weeks_months_quarters_and_years() -> None:
    start, end = bounds("2025-12-30T12:00:00+01:00", "2026-03-02T00:00:00+01:00")
    weeks = LocalBuckets(Calendar.WEEK, MADRID).edges_us(start, end)
    assert {from_us(us).astimezone(ZoneInfo(MADRID)).isoweekday() for us in weeks} == {1}
    assert LocalBuckets(Calendar.MONTH, MADRID).edges_us(start, end).tolist() == bounds(
        *(f"{month}-01T00:00:00+01:00" for month in ("2025-12", "2026-01", "2026-02", "2026-03")),
        "2026-04-01T00:00:00+02:00",
    )
    quarters = LocalBuckets(Calendar.MONTH, MADRID, 3).edges_us(start, end)
    assert quarters.tolist() == bounds(
        "2025-10-01T00:00:00+02:00", "2026-01-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"
    )
    years = LocalBuckets(Calendar.YEAR, MADRID).edges_us(start, end)
    assert years.tolist() == bounds(
        *(f"{year}-01-01T00:00:00+01:00" for year in (2025, 2026, 2027))
    )


def test_several_days_are_counted_from_one_monday() -> None:
    first = LocalBuckets(Calendar.DAY, MADRID, 2).edges_us(SPRING, SPRING + DAY_US)
    later = LocalBuckets(Calendar.DAY, MADRID, 2).edges_us(SPRING + 4 * DAY_US, SPRING + 5 * DAY_US)
    days = datetime.fromtimestamp(int(later[0]) / 1e6, UTC) - datetime.fromtimestamp(
        int(first[0]) / 1e6, UTC
    )
    assert days // timedelta(hours=1) in {4 * 24 - 1, 4 * 24}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FixedBuckets(0), "from 1 to 366 days"),
        (lambda: FixedBuckets(400 * 86_400), "from 1 to 366 days"),
        (lambda: FixedBuckets(1).edges_us(0, 100 * DAY_US), "longer buckets or a shorter range"),
        (lambda: LocalBuckets(Calendar.DAY, "Mars/Phobos"), "Europe/Madrid"),
        (lambda: LocalBuckets(Calendar.HOUR, MADRID, 5), "12 local hours"),
        (lambda: LocalBuckets(Calendar.MONTH, MADRID, 0), "from 1 to 12"),
        (lambda: LocalBuckets(Calendar.HOUR, "UTC").edges_us(0, 9_000 * 366 * DAY_US), "shorter range"),
    ],
)  # fmt: skip
def test_what_makes_no_buckets_is_told(make: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        make()  # type: ignore[operator]

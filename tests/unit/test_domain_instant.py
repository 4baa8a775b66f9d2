"""The time rule: what each way of writing an instant becomes, and what is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.domain.errors import InvalidInput
from services.domain.instant import (
    DAY_US,
    HOUR_US,
    OLDEST_US,
    from_us,
    isoformat,
    parse_time,
    to_us,
)

QUARTER_TO_TWO_US = 1_769_867_100_000_000
"""2026-01-31T13:45:00Z, by `date -u -d 2026-01-31T13:45:00Z +%s`."""


@pytest.mark.parametrize(
    ("written", "later_us"),
    [
        ("2026-01-31T13:45:00Z", 0),
        ("2026-01-31t13:45:00z", 0),
        ("2026-01-31 13:45:00Z", 0),
        ("2026-01-31T13:45:00+00:00", 0),
        ("2026-01-31T13:45:00-00:00", 0),
        ("2026-01-31T14:45:00+01:00", 0),
        ("2026-01-31T08:15:00-05:30", 0),
        ("2026-02-01T03:45:00+14:00", 0),
        ("2026-01-31T13:45:00.5Z", 500_000),
        ("2026-01-31T13:45:00.000001Z", 1),
        ("2026-01-31T13:45:00.123456789Z", 123_456),
        ("2026-01-31T14:45:00.250+01:00", 250_000),
        (1_769_867_100, 0),
        (1_769_867_100.25, 250_000),
        (1_769_867_100_000, 0),
        (1_769_867_100_007.5, 7_500),
        (1_769_867_100_000_000, 0),
        (1_769_867_100_000_001, 1),
    ],
)
def test_an_instant_is_the_same_however_it_is_written(written: object, later_us: int) -> None:
    assert parse_time(written) == QUARTER_TO_TWO_US + later_us


@pytest.mark.parametrize(
    ("number", "us"),
    [
        (0, 0),
        (99_999_999_999, 99_999_999_999 * 1_000_000),
        (100_000_000_000, 100_000_000_000 * 1_000),
        (99_999_999_999_999, 99_999_999_999_999 * 1_000),
        (100_000_000_000_000, 100_000_000_000_000),
        (99_999_999_999_999_999, 99_999_999_999_999_999),
        (-1, -1_000_000),
    ],
)
def test_the_size_of_a_number_tells_seconds_milliseconds_and_microseconds(
    number: int, us: int
) -> None:
    assert parse_time(number) == us


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T13:45:00",
        "2026-01-31",
        "2026-01-31T13:45Z",
        "2026-01-31T13:45:00 Z",
        "2026-02-30T13:45:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T13:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-01-31T13:45:00+24:00",
        "2026-01-31T13:45:00.1234567890123Z",
        "2026-01-31T13:45:00.Z",
        "2026-01-31T13:45:00.\u0665Z",
        "\u0662026-01-31T13:45:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1769867100",
        "now",
        "",
        100_000_000_000_000_000,
        -99_999_999_999,
        10**400,
        float("nan"),
        float("inf"),
        float("-inf"),
        True,
        None,
        [1_769_867_100],
        {"time": 1_769_867_100},
    ],
)
def test_what_is_no_instant_is_refused_with_the_rule(value: object) -> None:
    with pytest.raises(InvalidInput, match="an RFC 3339 time with zone") as refused:
        parse_time(value)
    assert refused.value.field == "time"


def test_a_time_without_its_zone_has_no_place_on_the_line() -> None:
    with pytest.raises(InvalidInput, match="a time with its zone"):
        to_us(datetime(2026, 1, 31, 13, 45))  # noqa: DTZ001 - that is the point


def test_a_zone_changes_the_words_and_not_the_instant() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert to_us(datetime(2026, 1, 31, 19, 15, tzinfo=india)) == QUARTER_TO_TWO_US
    assert from_us(QUARTER_TO_TWO_US) == datetime(2026, 1, 31, 13, 45, tzinfo=UTC)


def test_fractions_are_written_only_where_there_are_any() -> None:
    assert isoformat(QUARTER_TO_TWO_US) == "2026-01-31T13:45:00Z"
    assert isoformat(QUARTER_TO_TWO_US + 1) == "2026-01-31T13:45:00.000001Z"
    assert isoformat(-1) == "1969-12-31T23:59:59.999999Z"


def test_the_constants_are_what_they_say() -> None:
    assert isoformat(OLDEST_US) == "2000-01-01T00:00:00Z"
    assert DAY_US == 24 * HOUR_US == 86_400_000_000

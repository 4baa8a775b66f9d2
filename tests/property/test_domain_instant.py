"""Instants survive being written and read, in every notation that has room for them."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from services.domain.errors import InvalidInput
from services.domain.instant import from_us, isoformat, parse_time, to_us

FIRST_US = -62_135_596_800_000_000
LAST_US = 253_402_300_799_999_999
YEAR_2000_US = 946_684_800_000_000
MICROSECONDS = st.integers(FIRST_US, LAST_US)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))


@given(MICROSECONDS)
def test_parse_undoes_isoformat(us: int) -> None:
    assert parse_time(isoformat(us)) == us


@given(MICROSECONDS)
def test_the_text_is_what_the_standard_library_reads_too(us: int) -> None:
    assert datetime.fromisoformat(isoformat(us)) == from_us(us)
    assert to_us(from_us(us)) == us


@given(st.integers(YEAR_2000_US, LAST_US - 86_400_000_000), OFFSETS)
def test_the_zone_of_the_writer_does_not_matter(us: int, zone: timezone) -> None:
    assert parse_time(from_us(us).astimezone(zone).isoformat()) == us


@given(st.datetimes(timezones=st.just(UTC)))
def test_microseconds_are_exact(moment: datetime) -> None:
    assert from_us(to_us(moment)) == moment


@given(st.integers(YEAR_2000_US // 1_000_000, 99_999_999_999))
def test_seconds_milliseconds_and_microseconds_since_2000_are_told_apart(seconds: int) -> None:
    us = seconds * 1_000_000
    assert {parse_time(seconds), parse_time(seconds * 1000), parse_time(us)} == {us}
    assert {parse_time(float(seconds)), parse_time(float(seconds * 1000))} == {us}


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary()))
def test_anything_else_is_refused_or_is_a_date(value: object) -> None:
    try:
        us = parse_time(value)
    except InvalidInput:
        return
    assert isinstance(us, int)
    assert parse_time(isoformat(us)) == us

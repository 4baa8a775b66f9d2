"""Quiet hours and digests at any time in zones whose clocks change: what is held back ends, soon, and in the open."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from services.notify.hours import Digest, Span, next_digest, next_time, span_of

# half an hour's change, a change at midnight, a zone that once left a day out, one that never changes
ZONES = ["Europe/Madrid", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Asia/Kathmandu"]  # fmt: skip
FIRST, LAST = datetime(2010, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(MOMENTS, TIMES, TIMES, st.sampled_from(ZONES))
def test_what_is_held_back_is_told_when_the_quiet_is_over(
    now: datetime, start: time, end: time, zone_name: str
) -> None:
    assume(start != end)
    zone, quiet = ZoneInfo(zone_name), Span(start, end)
    assert quiet == span_of(f"{start:%H:%M}-{end:%H:%M}")
    assume(quiet.holds(now.astimezone(zone)))
    told = next_time(now, quiet.end, zone)
    assert now < told <= now + timedelta(hours=49), "two days at most, where a date is left out"
    local = told.astimezone(zone).time()
    gap = timedelta(hours=1)  # a time that the clocks jump over is told as much later
    late = datetime.combine(now, local) - datetime.combine(now, quiet.end)
    assert late % timedelta(days=1) <= gap


@given(MOMENTS, TIMES, st.sampled_from(ZONES), st.sampled_from(Digest))
def test_a_digest_is_always_due_later_and_never_much_later(
    now: datetime, at: time, zone_name: str, digest: Digest
) -> None:
    due = next_digest(now, digest, at, ZoneInfo(zone_name))
    longest = timedelta(hours=1) if digest is Digest.HOURLY else timedelta(hours=49)
    assert now < due <= now + longest
    assert next_digest(due, digest, at, ZoneInfo(zone_name)) > due

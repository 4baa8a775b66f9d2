"""GET /v1/quality/days: how complete, valid and timely each sensor's readings were, by local day.

It refuses to judge a sensor whose cadence nobody wrote down: what should have come is then null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document, Page
from services.api.parameters import Instant
from services.api.problems import documented
from services.api.sensors import SensorParameters
from services.domain.sensor import Sensor
from services.store.query import daily_quality
from services.store.query.daily_quality import DayCount
from services.store.sensors import SensorRepository

router = APIRouter(tags=["ingest"], dependencies=[Depends(read)])
_DAY: Final = timedelta(days=1)


class SensorDays(Document):
    """One sensor; every list has one entry for each day of `days`."""

    sensor_id: str = Field(description="Its id.")
    name: str | None = Field(description="Its name.")
    zone: str | None = Field(description="Its zone.")
    road: str | None = Field(description="Its road.")
    time_zone: str = Field(description="In whose days its readings are counted.")
    expected: list[int | None] = Field(
        description="Readings that its cadence asks for, from its first one on and up to `until`; "
        "null where the cadence is not known, and before the first one."
    )
    received: list[int] = Field(description="Readings that are stored.")
    valid: list[int] = Field(description="Those neither implausible nor of a clock that ran ahead.")
    timely: list[int] = Field(description="Those that did not come late.")
    longest_delay_s: list[float | None] = Field(
        description="Seconds from the device's time to our receipt, the worst of the day."
    )


class QualityPage(Page):
    """Sensors with their days, in the order of ids."""

    until: datetime | None = Field(description="The end of the last day that is counted.")
    days: list[date] = Field(description="The local days, oldest first.")
    items: list[SensorDays] = Field(description="The sensors of this page.")


class QualityParameters(SensorParameters):
    """Which sensors, which days."""

    limit: int = Field(25, ge=1, le=100, description="Most sensors of a page.")
    days: int = Field(28, ge=1, le=92, description="How many days.")
    until: Instant | None = Field(
        None,
        description="Up to this time; without it, to the newest reading of these sensors.",
    )


@router.get(
    "/v1/quality/days",
    summary="Completeness, validity and timeliness by day",
    responses={
        200: {"model": QualityPage, "description": "One page of sensors with their days"},
        **documented(401, 403, 422, 503),
    },
)
def days(request: Request, chosen: Annotated[QualityParameters, Query()]) -> Answer:
    """Count each sensor's readings by its local days (of 23 or 25 hours where they occur), beside what was due."""
    with request.app.state.database.connection() as connection:
        page = SensorRepository(connection).page(
            limit=chosen.limit,
            domain=chosen.domain,
            kind=chosen.kind,
            zone=chosen.zone,
            road=chosen.road,
            text=chosen.q,
            after=chosen.after,
        )
        ids = [sensor.id for sensor in page.items]
        until = chosen.until or daily_quality.newest(connection, ids)
        begun = daily_quality.first(connection, ids)
        listed = _days(page.items, until, chosen.days) if until else []
        counts = (
            daily_quality.counts(
                connection, ids,
                datetime.combine(listed[0] - _DAY, time(), UTC),
                datetime.combine(listed[-1] + 2 * _DAY, time(), UTC),
            )
            if listed
            else {}
        )  # fmt: skip
    return Answer(
        {
            "until": until,
            "days": listed,
            "items": [
                _document(
                    sensor,
                    listed,
                    until,
                    begun.get(sensor.id),
                    [counts.get((sensor.id, day)) for day in listed],
                )
                for sensor in page.items
            ],
            "next": page.next,
            "has_more": page.next is not None,
        }
    )


def _days(sensors: Sequence[Sensor], until: datetime, number: int) -> list[date]:
    """The `number` local days up to the one that `until` is in, by the sensor whose day is the latest."""
    last = max(
        (until.astimezone(ZoneInfo(sensor.time_zone)).date() for sensor in sensors),
        default=until.date(),
    )
    return [last - _DAY * back for back in reversed(range(number))]  # fmt: skip


def expected(sensor: Sensor, day: date, until: datetime, begun: datetime | None) -> int | None:
    """Readings that its cadence asks for in its local day, from its first one on and before `until`; else None."""
    if sensor.cadence_s is None:
        return None
    zone = ZoneInfo(sensor.time_zone)
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    end = min(datetime.combine(day + _DAY, time(), zone).astimezone(UTC), until)
    if begun is not None:
        begin = max(begin, begun)
    return None if end <= begin else max(1, round((end - begin).total_seconds() / sensor.cadence_s))


def _document(
    sensor: Sensor,
    listed: Sequence[date],
    until: datetime | None,
    begun: datetime | None,
    found: Sequence[DayCount | None],
) -> dict[str, object]:
    return {
        "sensor_id": sensor.id,
        "name": sensor.name,
        "zone": sensor.zone,
        "road": sensor.road,
        "time_zone": sensor.time_zone,
        "expected": [expected(sensor, day, until, begun) for day in listed] if until else [],
        "received": [each.received if each else 0 for each in found],
        "valid": [each.valid if each else 0 for each in found],
        "timely": [each.timely if each else 0 for each in found],
        "longest_delay_s": [each.longest_delay_s if each else None for each in found],
    }

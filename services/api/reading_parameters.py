"""Parameters of questions about readings. They refuse names that nobody knows and ranges that no date can hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from services.api.parameters import Bucket, Cursor, Instant, Parameters, SensorId
from services.store.history import Aggregate

_MOST_SENSORS: Final = 1000
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_,]{1,500}$")]


class Extra(StrEnum):
    """Times of a raw reading beside the observed one."""

    RECEIVED_AT = "received_at"
    STORED_AT = "stored_at"


class Wanted(StrEnum):
    """Which readings by quality."""

    ANY = "any"
    GOOD = "good"


class ReadingParameters(Parameters):
    """Which readings, in which form."""

    start: Instant | None = Field(
        None, description="Start of the range, included; a day before `end` by default."
    )
    end: Instant | None = Field(None, description="End of the range, not included; now by default.")
    metrics: list[MetricName] = Field(
        default=[],
        max_length=50,
        description="Metric columns (flow_litres_per_h) or their short names (flow), repeated or with commas; "
        "all of the domain by default.",
    )
    bucket: Bucket | None = Field(
        None,
        description="Length of a bucket: an ISO 8601 duration (PT15M, PT1H, P1D) or seconds. Whole days begin at the "
        "sensor's local midnight. Without it the answer holds raw readings.",
        examples=["PT1H"],
    )
    aggregate: Aggregate | None = Field(
        None, description="How the values of a bucket become one; avg by default."
    )
    quality: Wanted = Field(
        Wanted.ANY,
        description="good leaves out raw readings that are implausible, estimated or of a suspect clock.",
    )
    include: list[Extra] = Field(
        default=[],
        max_length=2,
        description="Further columns of raw readings: when each was received and stored.",
    )
    limit: int = Field(
        1000, ge=1, le=10_000, description="Most readings of a page, or most buckets."
    )
    after: Cursor | None = Field(
        None, description="The `next` of the page before; raw readings only."
    )


class ManyParameters(ReadingParameters):
    """Which readings of which sensors."""

    sensor_id: list[SensorId] = Field(
        min_length=1,
        max_length=_MOST_SENSORS,
        description="The sensors, repeated; all of one domain, at most 1,000.",
    )
    limit: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Most readings of a page, or most buckets of all sensors.",
    )

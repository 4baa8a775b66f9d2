"""Parameters of questions about readings. They refuse names that nobody knows and ranges that no date can hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from services.api.forms.writers import FormParameters
from services.api.parameters import Bucket, Cursor, Instant, SensorId, Words
from services.domain.catalogue import SensorKind
from services.store.history import Aggregate

MOST_SENSORS: Final = 1000
USUAL_PAGE: Final = 1000
LARGEST_PAGE: Final = 100_000
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_,]{1,500}$")]


class Extra(StrEnum):
    """Times of a raw reading beside the observed one."""

    RECEIVED_AT = "received_at"
    STORED_AT = "stored_at"


class Wanted(StrEnum):
    """Which readings by quality."""

    ANY = "any"
    GOOD = "good"


class RangeParameters(FormParameters):
    """Which range of time, in which form."""

    start: Instant | None = Field(
        None, description="Start of the range, included; a day before `end` by default."
    )
    end: Instant | None = Field(None, description="End of the range, not included; now by default.")


class ReadingParameters(RangeParameters):
    """Which readings, in which form."""

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
    limit: int | None = Field(
        None,
        ge=1,
        le=LARGEST_PAGE,
        description=f"Most readings of a page, or most buckets; {USUAL_PAGE} by default. The forms ndjson, csv, arrow "
        "and parquet hold the whole range of raw readings unless a limit is given.",
    )
    after: Cursor | None = Field(
        None, description="The `next` of the page before; raw readings only."
    )


class ManyParameters(ReadingParameters):
    """Which readings of which sensors."""

    sensor_id: list[SensorId] = Field(
        default=[],
        max_length=MOST_SENSORS,
        description=f"The sensors, repeated; all of one domain, at most {MOST_SENSORS:,}. Or give `zone` or `road`.",
    )
    zone: Words | None = Field(None, description="All sensors of this zone.", examples=["Zone 3"])
    road: Words | None = Field(None, description="All sensors of this road.", examples=["M-30"])
    direction: Words | None = Field(None, description="With `road`: only this direction of travel.")
    kind: SensorKind | None = Field(
        None, description="With `zone` or `road`: only sensors of this kind."
    )

"""Parameters of questions about readings. They refuse names that nobody knows and ranges that no date can hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.api.history.forms.writers import FormParameters
from services.api.history.gaps import Gaps
from services.api.history.lengths import Bucket, Shift
from services.api.parameters import Cursor, Instant, Parameters, SensorId, Words
from services.domain.buckets import zone_of
from services.domain.catalogue import SensorKind
from services.domain.errors import InvalidInput
from services.domain.quality import Quality
from services.domain.statistic import Statistic

MOST_SENSORS: Final = 1000
USUAL_PAGE: Final = 1000
LARGEST_PAGE: Final = 100_000
MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_,]{1,500}$")]


class Extra(StrEnum):
    """What may stand beside the values: the first two beside raw readings, the others beside buckets."""

    RECEIVED_AT = "received_at"
    STORED_AT = "stored_at"
    SHARE = "share"
    BASELINE = "baseline"


OF_RAW: Final = frozenset({Extra.RECEIVED_AT, Extra.STORED_AT})
"""What only raw readings have."""


class Wanted(StrEnum):
    """Which readings by quality."""

    ANY = "any"
    GOOD = "good"

    @property
    def excluded(self) -> Quality:
        """Bits of quality that keep a reading out."""
        if self is Wanted.ANY:
            return Quality.GOOD
        return Quality.IMPLAUSIBLE | Quality.ESTIMATED | Quality.SUSPECT_CLOCK


def _zone(value: object) -> object:
    try:
        zone_of(str(value))
    except InvalidInput as error:
        raise PydanticCustomError("time_zone", error.allowed) from None
    return value


ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone)]
"""An IANA time zone."""


class RangeParameters(FormParameters):
    """Which range of time, in which form."""

    start: Instant | None = Field(
        None, description="Start of the range, included; a day before `end` by default."
    )
    end: Instant | None = Field(None, description="End of the range, not included; now by default.")
    time_zone: ZoneName | None = Field(
        None,
        description="IANA zone whose days, weeks and months buckets are; the sensors' own by default.",
        examples=["Europe/Madrid"],
    )


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
        description="Length of a bucket: an ISO 8601 duration (PT15M, PT1H, P1D, P1W, P1M) or seconds. Days, weeks and "
        "months are those of the sensor's local time, right across changes of the clocks; UTC's where the sensors "
        "have several zones. Without it the answer holds raw readings.",
        examples=["PT1H"],
    )
    aggregate: list[Statistic] = Field(
        default=[],
        max_length=len(Statistic),
        description="How the values of a bucket become one, repeated for several; avg by default. p05 to p99 are "
        "percentiles; time_weighted lets each value hold until the next. Several make columns such as "
        "flow_litres_per_h_max.",
    )
    gaps: Gaps = Field(
        Gaps.NULL,
        description="What a bucket without values shows: null; hold: the last value before it; interpolate: the line "
        "between its neighbours. A column …_imputed marks what was not measured.",
    )
    longest_gap: Bucket | None = Field(
        None, description="With gaps: the longest gap that is filled (PT2H); any by default."
    )
    compare: Shift | None = Field(
        None,
        description="Puts an earlier period beside the buckets, as columns …_before: P7D last week, P1Y last year, at "
        "the same local time.",
        examples=["P7D"],
    )
    quality: Wanted = Field(
        Wanted.ANY,
        description="good leaves out readings that are implausible, estimated or of a suspect clock.",
    )
    include: list[Extra] = Field(
        default=[],
        max_length=4,
        description="Further columns. Of raw readings: received_at and stored_at. Of buckets: the share of expected "
        "readings that is there (…_share), and the baseline, the band in which the same hour of the week lay over the "
        "eight weeks before (…_usual_low, …_usual, …_usual_high: 10 %, median, 90 %).",
    )
    limit: int | None = Field(
        None,
        ge=1,
        le=LARGEST_PAGE,
        description=f"Most readings of a page, or most buckets; {USUAL_PAGE} by default. The forms ndjson, csv, arrow "
        "and parquet hold the whole range unless a limit is given.",
    )
    after: Cursor | None = Field(
        None, description="The `next` of the page before; raw readings only."
    )


class Selection(Parameters):
    """Which sensors: by their ids, or all of a zone or a road."""

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


class ManyParameters(ReadingParameters, Selection):
    """Which readings of which sensors."""

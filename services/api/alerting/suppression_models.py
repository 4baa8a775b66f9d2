"""What exemptions and maintenance windows look like over HTTP, field by field: what is sent and what is answered."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.api.documents import Document, Page
from services.api.parameters import Body, Instant, LongText, Words
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.suppression import SuppressionKind

_MOST: Final = 500


_CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _clock(value: object) -> time:
    try:
        found = time.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or found.second or found.microsecond:
        raise PydanticCustomError(
            "clock", "a local time of day in hours and minutes, such as 09:30"
        )
    return found


LocalTime = Annotated[
    time,
    BeforeValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": _CLOCK}),
]


class Hours(Body):
    """Hours that come back every week."""

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        min_length=1, max_length=7, description="ISO weekdays on which they begin: 1 Monday to 7."
    )
    start: LocalTime = Field(description="Local time at which they begin: 09:00.")
    end: LocalTime = Field(description="Local time at which they end; not after start: next day.")


class NewSuppression(Body):
    """What is to be expected, where, when and why."""

    subjects: list[Words] = Field(
        [], max_length=_MOST, description="Sensors, feed/water, gateway/GW-7; empty: any."
    )
    rules: list[Rule] = Field([], max_length=len(Rule), description="Which rules; empty: any.")
    domain: Domain | None = Field(None, description="Only of this domain.")
    zone: Words | None = Field(None, description="Only in this zone.")
    road: Words | None = Field(None, description="Only on this road.")
    starts_at: Instant | None = Field(None, description="From when; now, where it is left out.")
    ends_at: Instant = Field(
        description="Until when, at most three years later. Nothing is exempt for ever."
    )
    hours: list[Hours] = Field([], max_length=50, description="When in the week; empty: always.")
    time_zone: Words | None = Field(
        None,
        description="IANA zone of `hours`; where left out, that of the sensors it is for, or UTC.",
    )
    reason: LongText = Field(description="Why, for colleagues.")


class End(Body):
    """It is over before its time."""

    comment: LongText | None = Field(None, description="Why.")


class HoursDocument(Document):
    """Hours that come back every week."""

    days: list[int] = Field(description="ISO weekdays: 1 Monday to 7 Sunday.")
    start: str = Field(description="Local time at which they begin: 09:00.", pattern=_CLOCK)
    end: str = Field(
        description="Local time at which they end; not after start: on the next day.",
        pattern=_CLOCK,
    )


class SuppressionDocument(Document):
    """An exemption or a maintenance window."""

    id: UUID = Field(description="Its id.")
    kind: SuppressionKind = Field(description="exemption or maintenance.")
    name: str = Field(description="How an alert names it in `suppressed_by`.")
    subjects: list[str] = Field(description="Sensors, feeds and gateways; empty: any.")
    rules: list[Rule] = Field(description="Which rules; empty: any.")
    domain: Domain | None = Field(description="Water or traffic; null: any.")
    zone: str | None = Field(description="The zone; null: any.")
    road: str | None = Field(description="The road; null: any.")
    starts_at: datetime = Field(description="From when.")
    ends_at: datetime = Field(description="Until when.")
    hours: list[HoursDocument] = Field(description="When in the week; empty: always.")
    time_zone: str = Field(description="IANA zone of `hours`.")
    reason: str = Field(description="Why.")
    created_at: datetime = Field(description="When it was made.")
    created_by: str = Field(description="Who made it.")
    ended_at: datetime | None = Field(description="When a person ended it before its time.")
    ended_by: str | None = Field(description="Who did.")
    live: bool = Field(description="Whether it holds alerts back now.")
    held: int = Field(description="How many open alerts it holds back now.")


class SuppressionPage(Page):
    """Exemptions or maintenance windows, the newest first."""

    items: list[SuppressionDocument] = Field(description="Those of this page.")


class SuppressionEventDocument(Document):
    """One entry of its log."""

    kind: str = Field(description="created or ended.")
    at: datetime = Field(description="When.")
    actor: str = Field(description="Who.")
    data: dict[str, Any] = Field(description="What was said.")


class SuppressionDetail(SuppressionDocument):
    """One with its log."""

    events: list[SuppressionEventDocument] = Field(description="Its log, the oldest first.")

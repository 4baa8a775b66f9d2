"""GET /v1/performance: how well alarm system and people do, by local week, beside what good is; as JSON or CSV.

It refuses to judge by itself: targets are given beside the figures, and a spreadsheet may not compute with our texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import Document
from services.api.history.forms.text import CSV_NEWLINE, csv_text
from services.api.parameters import Instant, Parameters, Words
from services.api.problems import documented
from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput
from services.domain.performance import TARGETS, AlarmWeek, Performance, WorkWeek
from services.store.alerting.performance import MOST_WEEKS, performance, site_zone

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])
CSV: Final = "text/csv"
_USUAL: Final = timedelta(weeks=8)


class PerformanceForm(StrEnum):
    """How the figures are written."""

    JSON = "json"
    CSV = "csv"


class Part(StrEnum):
    """Which table of the figures a CSV holds."""

    WEEKS = "weeks"
    RULES = "rules"
    FREQUENT = "frequent"


class PerformanceParameters(Parameters):
    """Which weeks, of what, by which assumptions."""

    start: Instant | None = Field(
        None, description="A time in the first week; eight weeks before `end`, if left out."
    )
    end: Instant | None = Field(
        None,
        description=f"A time after the last week's beginning; now, if left out. At most {MOST_WEEKS} weeks.",
    )
    domain: Domain | None = Field(None, description="Only alerts of water or of traffic.")
    time_zone: Words | None = Field(
        None, description="IANA zone whose Mondays begin a week; that of most sensors, if left out."
    )
    operators: float = Field(1.0, gt=0, le=1000, description="People on duty at any time.")
    unnoticed_days: float = Field(
        30.0,
        ge=0,
        le=3660,
        description="Days for which a leak usually runs where nobody is told; for litres_saved.",
    )
    format: PerformanceForm = Field(PerformanceForm.JSON, description="json, or csv.")
    part: Part = Field(
        Part.WEEKS, description="The table that a CSV holds: weeks, rules or frequent."
    )


class AlarmWeekDocument(Document):
    """What the alarm system did to people in a week."""

    hours: float = Field(description="Hours of the week that have passed.")
    told: int = Field(description="Messages: alerts that began, grew worse or came back.")
    raised: int = Field(description="Alerts that began, told or not.")
    held: int = Field(description="Alerts that a rule or a fault held back.")
    folded: int = Field(description="Alerts that a flood told instead.")
    per_operator_hour: float | None = Field(description="Messages for each operator and hour.")
    peak_10_min: int = Field(description="Most alerts in ten minutes, folded ones among them.")
    flood_share: float | None = Field(description="0 to 1: ten minutes with more than ten alerts.")
    chattering: int = Field(description="Rules at a subject that began three times in an hour.")
    stale: int = Field(description="Alerts that had been on for more than 24 hours.")
    standing: int = Field(description="Alerts that were on, and nobody had closed, at its end.")
    critical: int = Field(description="Messages that were critical.")
    warning: int = Field(description="Messages that were warnings.")
    info: int = Field(description="Messages for information.")
    frequent_share: float | None = Field(description="0 to 1: of the ten most frequent.")


class WorkWeekDocument(Document):
    """What came of the alerts that began in a week."""

    real: int = Field(description="Cases closed as real.")
    sensor_fault: int = Field(description="Cases closed as a sensor's fault.")
    legitimate_use: int = Field(description="Cases closed as legitimate use.")
    duplicate: int = Field(description="Cases closed as duplicates.")
    unknown: int = Field(description="Cases closed without a finding.")
    open: int = Field(description="Cases that nobody has closed.")
    precision: float | None = Field(description="0 to 1: right among those judged right or wrong.")
    awareness_h: float | None = Field(description="Median hours from its beginning to the message.")
    acknowledgement_min: float | None = Field(description="Median minutes from there to a person.")
    repair_h: float | None = Field(description="Median hours from there to repaired, or normal.")
    litres_lost: float = Field(description="Litres lost in events not judged wrong.")
    litres_saved: float = Field(description="Litres that real, ended events did not lose.")
    vehicle_hours: float = Field(description="Vehicle-hours of delay in jams not judged wrong.")


class WeekDocument(Document):
    """One week."""

    week: date = Field(description="Its Monday, local.")
    starts_at: datetime = Field(description="Its beginning.")
    ends_at: datetime = Field(description="Its end.")
    alarms: AlarmWeekDocument = Field(description="The alarm system.")
    work: WorkWeekDocument = Field(description="The work.")


class RuleRecordDocument(Document):
    """What people made of one rule's alerts."""

    rule: str = Field(description="The rule.")
    raised: int = Field(description="Alerts that began.")
    told: int = Field(description="Of these, told to people.")
    right: int = Field(description="Judged right.")
    wrong: int = Field(description="Judged wrong.")
    precision: float | None = Field(description="0 to 1: right among right and wrong.")


class FrequentDocument(Document):
    """A rule at a subject that spoke often."""

    rule: str = Field(description="The rule.")
    subject: str = Field(description="The subject.")
    name: str | None = Field(description="What people call it.")
    told: int = Field(description="Messages.")


class PerformanceDocument(Document):
    """How well alarm system and people did."""

    time_zone: str = Field(description="IANA zone of the weeks.")
    operators: float = Field(description="People on duty, as asked for.")
    unnoticed_days: float = Field(description="As asked for.")
    targets: dict[str, float] = Field(
        description="What is good: at most these (ISA-18.2, EEMUA 191)."
    )
    weeks: list[WeekDocument] = Field(description="Week by week, the oldest first.")
    rules: list[RuleRecordDocument] = Field(description="Rule by rule, over all weeks.")
    frequent: list[FrequentDocument] = Field(description="The twenty that spoke most often.")


@router.get(
    "/v1/performance",
    summary="How well alarms and work do, by week",
    response_class=Response,
    responses={
        200: {
            "description": "The weeks and their figures",
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/PerformanceDocument"}
                },
                CSV: {"schema": {"type": "string"}},
            },
            "model": PerformanceDocument,
        },
        **documented(401, 403, 422, 503),
    },
)
def read_performance(
    request: Request, chosen: Annotated[PerformanceParameters, Query()]
) -> Response:
    """Give alarm-system and work figures by local week, worked out from the log; targets for one operator beside."""
    now = datetime.now(UTC)
    end = chosen.end or now
    with request.app.state.database.connection() as connection:
        found = performance(
            connection,
            start=chosen.start or end - _USUAL,
            end=end,
            now=now,
            time_zone=_zone(chosen.time_zone or site_zone(connection, chosen.domain)),
            domain=chosen.domain,
            operators=chosen.operators,
            unnoticed_days=chosen.unnoticed_days,
        )
    if chosen.format is PerformanceForm.CSV:
        name = f'attachment; filename="performance-{chosen.part.value}.csv"'
        return Response(
            as_csv(found, chosen.part), media_type=CSV, headers={"Content-Disposition": name}
        )
    return Answer({**asdict(found), "targets": dict(TARGETS)})


def as_csv(found: Performance, part: Part) -> bytes:
    """One table as CSV: a line of names, then one line each; texts that a spreadsheet would compute are marked."""
    match part:
        case Part.WEEKS:
            names = ["week", *AlarmWeek.__dataclass_fields__, *WorkWeek.__dataclass_fields__]
            rows: Iterable[Iterable[object]] = (
                [each.week, *asdict(each.alarms).values(), *asdict(each.work).values()]
                for each in found.weeks
            )
        case Part.RULES:
            names = ["rule", "raised", "told", "right", "wrong", "precision"]
            rows = (asdict(each).values() for each in found.rules)
        case Part.FREQUENT:
            names = ["rule", "subject", "name", "told"]
            rows = (asdict(each).values() for each in found.frequent)
    lines = [b",".join(name.encode() for name in names)]
    lines += [b",".join(_cell(value) for value in row) for row in rows]
    return CSV_NEWLINE.join([*lines, b""])


def _cell(value: object) -> bytes:
    if value is None:
        return b""
    return csv_text(value) if isinstance(value, str) else str(value).encode()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("time_zone", name, "an IANA name: Europe/Madrid") from None
    return name

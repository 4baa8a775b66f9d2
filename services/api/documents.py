"""What the API's answers hold, field by field, for the OpenAPI document; the tests hold answers and models together.

Answers are encoded from the domain's own types (see `answers.py`); these models describe and never copy them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.domain.alert import EventKind, Verdict, Work
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Rule, Severity
from services.domain.subject import SubjectKind

SAME_AS_DATA = (
    "The same as data, to be filled into GET /v1/sentences; null where no template says it."
)
_NEXT = "Cursor of the following page, to be sent back as `after`; null on the last page."
_MORE = "Whether there is a following page."


class Document(BaseModel):
    """Base of the described answers: an answer has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Page(Document):
    """One page of a list."""

    next: str | None = Field(description=_NEXT)
    has_more: bool = Field(description=_MORE)


class SensorDocument(Document):
    """One piece of field hardware."""

    id: str = Field(description="Its name in topics, files and this API.")
    kind: SensorKind = Field(description="What it is.")
    domain: Domain = Field(description="The domain that its readings belong to.")
    name: str | None = Field(description="What people call it.")
    lon: float | None = Field(description="Longitude, WGS 84 degrees.")
    lat: float | None = Field(description="Latitude, WGS 84 degrees.")
    zone: str | None = Field(description="The metered area or district that it belongs to.")
    road: str | None = Field(description="The road that it watches.")
    direction: str | None = Field(description="The direction of travel that it watches.")
    position_m: float | None = Field(description="Metres along the road or the main.")
    lanes: int | None = Field(description="Lanes that a traffic station adds up.")
    unit: str | None = Field(description="UCUM code that payloads without units are in.")
    cadence_s: float | None = Field(description="Seconds between two of its readings.")
    time_zone: str = Field(description="IANA zone in which its local days are counted.")
    gateway: str | None = Field(description="The gateway through which it speaks.")
    area_m2: float | None = Field(description="Square metres of a tank's surface.")


class SensorPage(Page):
    """Sensors in the order of their ids."""

    items: list[SensorDocument] = Field(description="The sensors of this page.")


class Point(Document):
    """GeoJSON point."""

    type: str = Field(description="Always `Point`.")
    coordinates: list[float] = Field(description="Longitude and latitude, WGS 84 degrees.")


class Feature(Document):
    """GeoJSON feature of one sensor."""

    type: str = Field(description="Always `Feature`.")
    id: str = Field(description="The sensor's id.")
    geometry: Point | None = Field(description="Its place; null where it is not known.")
    properties: dict[str, Any] = Field(description="The sensor's other fields, as in /v1/sensors.")


class FeatureCollection(Document):
    """GeoJSON (RFC 7946) of sensors."""

    type: str = Field(description="Always `FeatureCollection`.")
    features: list[Feature] = Field(description="One for each sensor.")
    next: str | None = Field(description=_NEXT)
    has_more: bool = Field(description=_MORE)


class QuarantinedDocument(Document):
    """A sensor that spoke without being registered."""

    id: str = Field(description="The id that it gave.")
    domain: str = Field(description="The domain of its topic.")
    first_seen: datetime = Field(description="When it first spoke.")
    last_seen: datetime = Field(description="When it last spoke.")
    readings: int = Field(description="Readings that it sent; they are kept among the rejected.")
    last_topic: str = Field(description="The topic of its last message.")


class QuarantinePage(Page):
    """Sensors in quarantine, in the order of their ids."""

    items: list[QuarantinedDocument] = Field(description="The sensors of this page.")


class LatestValue(Document):
    """The newest value of one metric."""

    time: datetime = Field(description="When it was observed.")
    value: float = Field(description="The value in `unit`.")
    unit: str = Field(description="UCUM code of the unit.")


class LatestDocument(Document):
    """The newest values of one sensor."""

    sensor_id: str = Field(description="The sensor.")
    time: datetime | None = Field(description="The newest observed time; null before any reading.")
    age_s: float | None = Field(description="Seconds since then.")
    values: dict[str, LatestValue] = Field(description="By metric column.")


class EvidenceDocument(Document):
    """The numbers with which a decision can be redrawn."""

    metric: str = Field(description="The metric column that was judged.")
    unit: str = Field(description="UCUM code of value, threshold and baseline.")
    value: float | None = Field(description="What was measured over the window.")
    threshold: float | None = Field(description="The limit that it crossed.")
    baseline: float | None = Field(description="What is usual here at this hour.")
    window_s: float = Field(description="Seconds of data that the decision rests on.")
    readings: int = Field(description="Readings that the window held.")
    missing_share: float = Field(description="0 to 1: expected readings that were missing.")
    numbers: dict[str, float | None] = Field(
        description="Further figures; each name ends in its unit."
    )


class PlaceDocument(Document):
    """Where an alert's subject is."""

    kind: SensorKind = Field(description="What the sensor is.")
    domain: Domain = Field(description="Water or traffic.")
    name: str | None = Field(description="What people call it.")
    zone: str | None = Field(description="Its metered area or district.")
    road: str | None = Field(description="Its road.")
    direction: str | None = Field(description="Its direction of travel.")
    position_m: float | None = Field(description="Metres along the road or the main.")
    lon: float | None = Field(description="Longitude, WGS 84 degrees.")
    lat: float | None = Field(description="Latitude, WGS 84 degrees.")
    time_zone: str = Field(description="IANA zone of local times.")


class SaidDocument(Document):
    """A sentence as data: {key, values} is a template of /v1/sentences and what fills it.

    A value is a text; an amount {value, unit} with digits or without; a moment {time}; a phrase; or a list of phrases,
    one behind the other.
    """

    time_zone: str = Field(description="IANA zone in which its times are told.")
    what: list[dict[str, Any]] = Field(description="Phrases: what, where, since when, why.")
    first: dict[str, Any] | None = Field(description="The phrase of what to do first.")


class AlertDocument(Document):
    """One case: one episode of a condition at a subject."""

    id: UUID = Field(description="Its id.")
    rule: Rule = Field(description="Which question was answered with yes.")
    subject: str = Field(
        description="The sensor's id; feed/water or gateway/GW-7 for many sensors; flood/water for too many alerts."
    )
    subject_kind: SubjectKind = Field(
        description="Whether one sensor, a gateway, a whole feed, or a flood of alerts."
    )
    place: PlaceDocument | None = Field(
        description="Where; null for a sensor no longer known, a gateway and a feed."
    )
    version: int = Field(description="Grows with each change; send it back as expected_version.")
    state: str = Field(description="active, acknowledged, cleared or resolved.")
    active: bool = Field(description="Whether the measurement still shows it.")
    severity: Severity = Field(description="critical: now; warning: this shift; info: some time.")
    score: float = Field(description="0 to 1: how sure.")
    sentence: str = Field(
        description="What, where, since when, why, and what to do first; in English, with litres and km/h."
    )
    said: SaidDocument | None = Field(
        description="The sentence as data, for other languages and units, with the templates of /v1/sentences; null "
        "where an alert has its English sentence alone."
    )
    evidence: EvidenceDocument | dict[str, Any] = Field(description="The numbers.")
    started_at: datetime = Field(description="When it began in the data.")
    raised_at: datetime = Field(description="When it could first be told.")
    updated_at: datetime = Field(description="When it last changed.")
    cleared_at: datetime | None = Field(description="When the measurement was normal again.")
    acknowledged_at: datetime | None = Field(description="When a person took it.")
    acknowledged_by: str | None = Field(description="Who took it.")
    shelved_until: datetime | None = Field(description="Hidden by a person until then.")
    shelved_reason: str | None = Field(description="Why it is hidden.")
    resolved_at: datetime | None = Field(description="When the case was closed.")
    resolved_by: str | None = Field(description="Who closed it.")
    verdict: Verdict | None = Field(description="How the case ended.")
    previous_id: UUID | None = Field(description="The last alert of this rule and subject.")
    group_id: UUID = Field(
        description="The alert with which the same event was first told; its own id where it stands alone. "
        "Only the first of a group, what is worse than it, and the end of the last are told to people."
    )
    assignee: str | None = Field(description="Who shall deal with it; null: nobody yet.")
    work: Work = Field(
        description="How far the work in the street is: new, investigating, crew_sent, repaired."
    )
    suppressed_by: str | None = Field(
        description="The rule that keeps it from being told: exemption/<id>, maintenance/<id>, or alert/<id> (a "
        "fault or a silence that explains it). When that ends and the condition is still there, people are told."
    )
    suppressed_reason: str | None = Field(description="The same in words.")
    told_at: datetime | None = Field(
        description="When people could first hear of it; null where a group, a flood or a rule kept it."
    )
    latched: bool = Field(
        description="Told, and over before anyone acknowledged it: it waits until somebody does."
    )
    allowed_changes: list[str] = Field(description="What a person may do to it now.")


class AlertPage(Page):
    """Alerts, the newest first."""

    items: list[AlertDocument] = Field(description="The alerts of this page.")


class EventDocument(Document):
    """One entry of an alert's log."""

    position: int = Field(description="Its place in the log of all alerts.")
    id: UUID = Field(description="Its id.")
    alert_id: UUID = Field(description="The alert.")
    version: int = Field(description="The alert's version after it.")
    kind: EventKind = Field(description="What happened.")
    at: datetime = Field(description="When.")
    actor: str = Field(
        description="Who: `detector`, `citygauge` (the alarm system itself), or a person's name."
    )
    data: dict[str, Any] = Field(description="What belongs to it: sentence, comment, verdict...")


class AlertDetail(AlertDocument):
    """One case with its log."""

    events: list[EventDocument] = Field(description="Its log, the oldest first.")


class BulkItem(Document):
    """What became of one alert of many."""

    id: UUID = Field(description="The alert.")
    status: int = Field(description="200: changed; 404, 409, 422: not, and `problem` says why.")
    alert: AlertDocument | None = Field(description="The alert after the change.")
    problem: dict[str, Any] | None = Field(
        description="Why it was not changed, as the alert's own call would answer (RFC 9457)."
    )


class BulkOutcome(Document):
    """What became of each alert."""

    items: list[BulkItem] = Field(description="One for each alert, in the order of the request.")
    changed: int = Field(description="How many were changed.")
    refused: int = Field(description="How many were not.")

"""Which live events a client wants, and where it was: parameters of the streams and of the WebSocket.

They refuse places that no stream ever named.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import numpy as np
from pydantic import Field

from services.api.database import Database
from services.api.history.reading_parameters import MOST_SENSORS, MetricName
from services.api.history.reading_question import metric_names
from services.api.parameters import Parameters, SensorId, Words
from services.api.streams.live import Key
from services.api.streams.reading_tail import ReadingWants, key_of
from services.api.streams.tail import AlertWants
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import InvalidInput, UnknownPlace
from services.store.alerting.alerts import AlertRepository
from services.store.feed import horizon
from services.store.query import sensor_sets

_LARGEST: Final = 2**63 - 1
_PLACE: Final = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})", re.ASCII)


class AlertFilter(Parameters):
    """Which alerts."""

    rule: Rule | None = Field(None, description="Only alerts of this rule.")
    severity: Severity | None = Field(None, description="Only alerts of this severity.")
    subject: Words | None = Field(None, description="Only of this sensor, feed or gateway.")


class PlaceFilter(Parameters):
    """Of where."""

    domain: Domain | None = Field(None, description="Only of this domain.")
    zone: Words | None = Field(None, description="Only of this zone.")


class ReadingFilter(Parameters):
    """Which readings."""

    sensor_id: list[SensorId] = Field(
        default=[], max_length=MOST_SENSORS, description="Only of these sensors, repeated."
    )
    road: Words | None = Field(None, description="Only sensors of this road; needs `domain`.")
    metrics: list[MetricName] = Field(
        default=[],
        max_length=50,
        description="Only these metrics, by column; by short name where `domain` is given.",
    )


class AlertStreamParameters(AlertFilter, PlaceFilter):
    """Which alerts, from where on."""

    after: int | None = Field(
        None,
        ge=0,
        le=_LARGEST,
        description="Position in the log after which to begin; the header Last-Event-ID goes before it. "
        "Without both, only what happens from now on is sent.",
    )

    @property
    def position(self) -> Key | None:
        """Where to begin."""
        return None if self.after is None else (self.after,)


class ReadingStreamParameters(ReadingFilter, PlaceFilter):
    """Which readings, from where on."""

    after: Words | None = Field(
        None,
        description="The id of an event after which to begin; the header Last-Event-ID goes before it. Without both, "
        "only what is stored from now on is sent.",
    )


class Topic(StrEnum):
    """What is told."""

    ALERTS = "alerts"
    READINGS = "readings"


class LiveParameters(AlertFilter, ReadingFilter, PlaceFilter):
    """What to tell, from where on."""

    topics: list[Topic] = Field(
        default=[Topic.ALERTS], min_length=1, max_length=2, description="alerts, readings, or both."
    )
    alerts_after: Words | None = Field(
        None, description="The id of the last `alert` that you have."
    )
    readings_after: Words | None = Field(None, description="The id of the last `readings`.")


def alert_wants(chosen: AlertStreamParameters | LiveParameters) -> AlertWants:
    """The alerts that are wanted."""
    return AlertWants(chosen.rule, chosen.severity, chosen.subject, chosen.domain, chosen.zone)


def reading_wants(
    database: Database, chosen: ReadingStreamParameters | LiveParameters
) -> ReadingWants:
    """The readings that are wanted.

    Raises:
        InvalidInput: a filter contradicts another.
        UnknownSensors, UnknownPlace: nobody knows what it names.
    """
    domain, zone, numbers = chosen.domain, chosen.zone, None
    with database.connection() as connection:
        if chosen.sensor_id:
            if zone or chosen.road:
                raise InvalidInput(
                    "sensor_id", chosen.sensor_id[0], "not together with zone or road"
                )
            found = sensor_sets.by_ids(connection, chosen.sensor_id)
            numbers = np.unique(np.array([each.number for each in found], np.int32))
        elif zone or chosen.road:
            if domain is None:
                raise InvalidInput("domain", None, f"one of {', '.join(Domain)}, with zone or road")
            numbers, _ = sensor_sets.names_of(connection, domain, zone=zone, road=chosen.road)
            if not len(numbers):
                kind = "zone" if zone else "road"
                raise UnknownPlace(kind, zone or chosen.road or "")
    names = _names(domain, chosen)
    return ReadingWants(domain, numbers, names)


def _names(domain: Domain | None, chosen: ReadingFilter) -> frozenset[str] | None:
    if not chosen.metrics:
        return None
    found: set[str] = set()
    refused: InvalidInput | None = None
    for each in (domain,) if domain else tuple(Domain):
        try:
            found.update(metric_names(each, chosen.metrics))
        except InvalidInput as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return frozenset(found)


def newest_alert(database: Database) -> Key:
    """The place of the newest event of the log of alerts."""
    with database.connection() as connection:
        return (AlertRepository(connection).last_position(),)


def newest_reading(database: Database) -> Key:
    """The place of the newest batch of the feed."""
    with database.connection() as connection:
        return key_of(horizon(connection))


def alert_position(text: str, field: str = "Last-Event-ID") -> Key:
    """Where in the log of alerts an event's id is."""
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _LARGEST:
        raise InvalidInput(field, text, "the id of an event that this stream sent")
    return (int(text),)


def reading_position(text: str, field: str = "Last-Event-ID") -> Key:
    """Where in the feed an event's id is."""
    match = _PLACE.fullmatch(text)
    if match is None or any(int(part) > _LARGEST for part in match.groups()):
        raise InvalidInput(field, text, "the id of an event that this stream sent")
    return tuple(int(part) for part in match.groups())

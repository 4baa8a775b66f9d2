"""Why a message or one of its readings was not stored, in one word for machines and one sentence for people.

It refuses to judge: ingest decides, the store keeps, the API and the command line show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RejectReason(StrEnum):
    """The one word. The values are stored and are label values of metrics: append, never rename."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_METRIC = "unknown_metric"
    UNKNOWN_UNIT = "unknown_unit"
    NOT_FINITE = "not_finite"
    NO_VALUE = "no_value"
    BAD_TIME = "bad_time"
    TIME_WITHOUT_ZONE = "time_without_zone"
    TIME_IN_FUTURE = "time_in_future"
    TIME_TOO_OLD = "time_too_old"
    BAD_SENSOR_ID = "bad_sensor_id"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_SENSOR = "unknown_sensor"
    WRONG_DOMAIN = "wrong_domain"
    DECODER_ERROR = "decoder_error"
    REFUSED_BY_DATABASE = "refused_by_database"


WHAT_TO_DO: Final[Mapping[RejectReason, str]] = {
    RejectReason.NOT_JSON: "the body must be one JSON document (RFC 8259)",
    RejectReason.NOT_UTF8: "the body must be UTF-8",
    RejectReason.TOO_LARGE: "send fewer readings in a message, or raise the limit",
    RejectReason.TOO_DEEP: "the body nests deeper than any form of the payload does",
    RejectReason.WRONG_TYPE: "a field holds another JSON type than the payload's form says",
    RejectReason.MISSING_FIELD: "add the field that the detail names",
    RejectReason.UNKNOWN_FIELD: "remove or rename the field that the detail names",
    RejectReason.UNKNOWN_METRIC: "the domain has no such metric",
    RejectReason.UNKNOWN_UNIT: "use one of the UCUM codes of the metric's quantity",
    RejectReason.NOT_FINITE: "NaN and infinity are not measurements; send null for a missing value",
    RejectReason.NO_VALUE: "at least one value of a reading must not be null",
    RejectReason.BAD_TIME: "write the time as the payload's page says",
    RejectReason.TIME_WITHOUT_ZONE: "add Z or the offset from UTC",
    RejectReason.TIME_IN_FUTURE: "set the device's clock",
    RejectReason.TIME_TOO_OLD: "set the device's clock; readings before 2000 are not taken",
    RejectReason.BAD_SENSOR_ID: "a sensor's id is 1 to 128 letters, digits, or . _ : @ -",
    RejectReason.UNKNOWN_TOPIC: "publish to a topic that is configured with its format",
    RejectReason.UNKNOWN_SENSOR: "register the sensor, then replay what was kept",
    RejectReason.WRONG_DOMAIN: "the sensor is registered in another domain than the topic's",
    RejectReason.DECODER_ERROR: "a fault of the decoder: report it with the payload, replay after the fix",
    RejectReason.REFUSED_BY_DATABASE: "the detail says why the database refused the row",
}
"""What a person can do about each reason."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message, or a part of one, that was not stored.

    Attributes:
        reason: the one word.
        detail: one sentence with the facts: which field, which value, what would have been right.
        topic: the MQTT topic on which it came.
        payload: the bytes to keep: the body, or that part of it which was rejected, cut at the limit for keeping.
        sensor_id: whose reading it is, where that is known.
        readings: how many readings it counts for; 1 for a body that could not be decoded.
        payload_bytes: size of the payload before it was cut; None when nothing was cut.
    """

    reason: RejectReason
    detail: str
    topic: str
    payload: bytes
    sensor_id: str | None = None
    readings: int = 1
    payload_bytes: int | None = None

    @property
    def full_size(self) -> int:
        """Bytes of the payload before it was cut for keeping."""
        return len(self.payload) if self.payload_bytes is None else self.payload_bytes

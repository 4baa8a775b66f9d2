"""Why a message or one of its readings was not stored, in one word for machines and one sentence for people.

It refuses to judge: ingest decides, the store keeps, the API and the command line show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.sentences.language import ENGLISH, LANGUAGES


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


WHAT_TO_DO: Final[Mapping[RejectReason, str]] = MappingProxyType(
    {reason: LANGUAGES[ENGLISH].words(f"remedy.{reason}") for reason in RejectReason}
)
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

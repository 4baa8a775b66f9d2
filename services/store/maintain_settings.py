"""The settings of maintenance, each with its unit in its name. By default no reading is ever removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.domain.catalogue import Domain

_LONGEST_DAYS: Final = 36_500


class MaintainSettings(BaseModel):
    """What a person may change about maintenance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retention_days: Mapping[Domain, float] = Field(
        {},
        description='Domain -> for how many days its readings are kept ({"water": 1830}); a domain that is not named '
        "keeps them for ever. They go by whole chunks of seven days, and their earlier values with them. Detectors "
        "that lost their checkpoint learn again from history: leave them 60 days.",
    )
    compress_after_days: Mapping[Domain, float] = Field(
        {},
        description='Domain -> age in days from which its chunks are compressed ({"traffic": 14}); needs the '
        "Community edition of TimescaleDB. Late readings still find their place, at more cost each.",
    )
    keep_feed_days: float = Field(
        7.0,
        ge=0,
        le=366,
        description="Days for which the batch feed is kept; what a known consumer has not read stays.",
    )
    keep_resolved_days: float = Field(
        90.0,
        ge=1,
        le=36_500,
        description="Days for which rejected messages are kept after they were replayed or discarded; others stay.",
    )
    keep_delivered_days: float = Field(
        90.0,
        ge=1,
        le=36_500,
        description="Days for which it is kept how and when people were told of an alert, once the whole event is "
        "over; and CAP messages, once the last one of their event has expired. The alert itself stays.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address on which /metrics listens.")
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port of /metrics, with --every; 0: none."
    )

    @field_validator("retention_days", "compress_after_days")
    @classmethod
    def _are_days(cls, days: Mapping[Domain, float]) -> Mapping[Domain, float]:
        for domain, each in days.items():
            if not 1 <= each <= _LONGEST_DAYS:
                raise ValueError(f"{domain.value}: from 1 to {_LONGEST_DAYS} days, not {each:g}")
        return days

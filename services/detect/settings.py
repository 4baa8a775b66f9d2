"""Settings of the detect service: clock, pace, checkpoints, patience. The detectors' own limits are not here."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from services.domain.flood import FloodLimit


class Clock(StrEnum):
    """Whose time tells that a sensor has gone silent."""

    WALL = "wall"
    STREAM = "stream"


class DetectSettings(BaseModel):
    """How the detect service follows the feed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock: Clock = Field(
        Clock.WALL,
        description=(
            "wall: silence is judged by the database's clock, once the feed is drained (live cities); "
            "stream: by the newest time that any reading carries (replays and demos of other times)"
        ),
    )
    batch_readings: int = Field(
        50_000, ge=1, le=5_000_000, description="most readings taken from the feed at once"
    )
    poll_s: float = Field(
        1.0, ge=0.01, le=60, description="seconds between looks at the feed when no hint arrives"
    )
    tick_s: float = Field(
        5.0,
        ge=0.05,
        le=3600,
        description="seconds between judgements of silence while the feed is quiet",
    )
    watch_s: float = Field(
        2.0,
        ge=0.01,
        le=3600,
        description="seconds between looks at shelves, exemptions and maintenance windows that begin or are over",
    )
    flood_alerts: int = Field(
        10,
        ge=0,
        le=100_000,
        description="most alerts of a domain that are told one by one within flood_window_s; what is more is told as "
        "one flood; 0: tell every one",
    )
    flood_window_s: float = Field(
        600.0, ge=1, le=86400, description="seconds within which alerts are counted for a flood"
    )
    settle_s: float = Field(
        30.0,
        ge=0,
        le=3600,
        description=(
            "seconds after a start in which the wall clock judges no silence, because readings that waited "
            "in the broker are still on their way"
        ),
    )
    checkpoint_s: float = Field(
        60.0,
        ge=0,
        le=86400,
        description=(
            "seconds between two checkpoints of the detectors' state, 0 for one with each batch; "
            "more where a checkpoint takes longer than a twentieth of it"
        ),
    )
    warm_days: float = Field(
        35.0,
        ge=0,
        le=400,
        description="days of history from which the state is rebuilt when there is no checkpoint",
    )
    late_s: float = Field(
        10.0,
        ge=0,
        le=86400,
        description=(
            "seconds at least between two times that sensors are judged again whose past late data or the registry "
            "changed; more where that takes longer than a fifth of it"
        ),
    )
    late_slice_ms: float = Field(
        5.0,
        ge=0,
        le=10_000,
        description=(
            "milliseconds after which judging again lets the feed go on; one step of the detectors is not divided"
        ),
    )
    keep_feed_s: float = Field(
        3600.0,
        ge=0,
        le=30 * 86400,
        description="seconds for which rows of the feed are kept beyond what a restart needs",
    )
    lag_alarm_s: float = Field(
        120.0, gt=0, le=86400, description="feed lag in seconds from which the log warns"
    )
    longest_retry_s: float = Field(
        15.0,
        ge=0.1,
        le=600,
        description="longest pause between two tries to reach the database, in seconds",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address on which /metrics listens; loopback unless in a container"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics; 0 serves none")

    @property
    def flood(self) -> FloodLimit | None:
        """From when alerts are a flood; None: never."""
        if not self.flood_alerts:
            return None
        return FloodLimit(self.flood_alerts, timedelta(seconds=self.flood_window_s))

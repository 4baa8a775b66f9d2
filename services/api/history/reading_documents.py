"""What answers about readings hold, in their JSON forms: by columns (the default) and by rows; tests hold both true."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.api.documents import Document, Page


class MetricUnit(Document):
    """A column of values and its unit."""

    name: str = Field(description="The column's name; it ends in the unit.")
    unit: str = Field(description="UCUM code of the unit.")


Row = dict[str, float | str | bool | None]
Column = Annotated[
    list[float | str | bool | None],
    Field(description="One value for each row; null is missing, never zero."),
]


class Readings(Page):
    """What every JSON answer about readings says beside the readings."""

    sensor_id: str | list[str] = Field(description="The sensor, or the sensors, asked for.")
    start: datetime = Field(description="Start of the range, included.")
    end: datetime = Field(description="End of the range, not included.")
    bucket: str | None = Field(description="ISO 8601 length of a bucket; null for raw readings.")
    aggregate: str | None = Field(description="How a bucket's values became one; null for raw.")
    metrics: list[MetricUnit] = Field(description="The value columns and their units.")


class ReadingColumns(Readings):
    """Readings by columns: the n-th entries of all columns make the n-th reading."""

    columns: dict[str, Column] = Field(
        description="`time` (observed, or a bucket's start), `sensor_id` where several were asked for, each metric, "
        "and for raw readings `quality` (bits: 1 late, 2 implausible, 4 estimated, 8 suspect clock), and "
        "`received_at` and `stored_at` on request."
    )


class ReadingRows(Readings):
    """Readings by rows (format=rows): an object for each reading, with the same names."""

    rows: list[Row] = Field(description="The readings; null is missing, never zero.")


class LatestTable(Page):
    """What every JSON answer about the newest readings of many says beside them."""

    now: datetime = Field(description="When it was asked; ages are counted from here.")
    metrics: list[MetricUnit] = Field(description="The value columns and their units.")


class LatestColumns(LatestTable):
    """The newest reading of each sensor, by columns."""

    columns: dict[str, Column] = Field(
        description="`sensor_id`, `time` (observed; null for one that has never spoken), `age_s`, and each metric."
    )


class LatestRows(LatestTable):
    """The newest reading of each sensor, by rows (format=rows)."""

    rows: list[Row] = Field(description="One for each sensor; null is missing.")


class ConsumptionTable(Page):
    """What every JSON answer about consumption says beside the litres."""

    sensor_id: str | list[str] = Field(description="The sensor, or the sensors, asked for.")
    start: datetime = Field(description="Start of the range, included.")
    end: datetime = Field(description="End of the range, not included.")
    bucket: str = Field(description="ISO 8601 length of a bucket.")
    metrics: list[MetricUnit] = Field(description="The value columns and their units.")


class ConsumptionColumns(ConsumptionTable):
    """Litres by columns, one sensor after the other."""

    columns: dict[str, Column] = Field(
        description="`time` (a bucket's start), `sensor_id` where several were asked for, `consumption_litres` "
        "(negative: water ran back), `known_share` of the bucket's time, `share` of the expected readings, and "
        "`events` of the register: rollover, backflow, exchange, unit, jump."
    )


class ConsumptionRows(ConsumptionTable):
    """Litres by rows (format=rows)."""

    rows: list[Row] = Field(description="One for each bucket of each sensor; null is unknown.")


class OfRoad(Document):
    """What every JSON answer about a road says beside its numbers."""

    road: str = Field(description="The road.")
    direction: str | None = Field(description="The direction of travel.")
    sensor_id: list[str] = Field(description="Its stations in the order of travel.")
    start: datetime = Field(description="Start of the range, included.")
    end: datetime = Field(description="End of the range, not included.")
    bucket: str = Field(description="ISO 8601 length of a step of time.")


class Contour(OfRoad):
    """Speed by time and distance."""

    unit: str = Field(description="UCUM code of the speeds.")
    times: list[datetime | float] = Field(description="Beginnings of the m steps of time.")
    positions_m: list[float] = Field(description="Places of the s stations, metres along the road.")
    speed_km_per_h: list[list[float | None]] = Field(
        description="s rows of m speeds, one row for each station; null where nothing was measured."
    )


class TravelTimeTable(OfRoad, Page):
    """What every JSON answer about travel time says beside it."""

    length_m: float = Field(description="Metres from the first to the last station.")
    metrics: list[MetricUnit] = Field(description="The value columns and their units.")


class TravelTimeColumns(TravelTimeTable):
    """Travel time by columns."""

    columns: dict[str, Column] = Field(
        description="`time`, `travel_time_s` at the speeds of that step, `free_travel_time_s`, `delay_s`, and "
        "`measured_share` of the length."
    )


class TravelTimeRows(TravelTimeTable):
    """Travel time by rows (format=rows)."""

    rows: list[Row] = Field(description="One for each step of time; null is unknown.")


class ZoneTable(Page):
    """What every JSON answer about a zone says beside its numbers."""

    zone: str = Field(description="The zone.")
    start: datetime = Field(description="Start of the range, included.")
    end: datetime = Field(description="End of the range, not included.")
    bucket: str = Field(description="ISO 8601 length of a bucket.")
    metrics: list[MetricUnit] = Field(description="The value columns and their units.")


class ZoneColumns(ZoneTable):
    """A zone's water by columns."""

    columns: dict[str, Column] = Field(
        description="`time` and the columns that `metrics` names; null is unknown. Shares are of the time for which "
        "litres are known."
    )


class ZoneRows(ZoneTable):
    """A zone's water by rows (format=rows)."""

    rows: list[Row] = Field(description="One for each bucket or night; null is unknown.")

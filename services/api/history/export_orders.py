"""An order of history as a file: what may be asked, and what it means for the sensors that there are.

It refuses orders that no file could answer: two domains, unknown names, forms that cannot be written piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer

from services.api.history.forms import arrow
from services.api.history.forms.negotiation import STREAMED, Form
from services.api.history.forms.table import Block, Column, ColumnKind, Table, Values, Words
from services.api.history.forms.text import TimeForm
from services.api.history.forms.writers import NEEDS_ARROW
from services.api.history.lengths import Bucket
from services.api.history.reading_parameters import OF_RAW, Extra, MetricName, Wanted
from services.api.history.reading_question import metric_names
from services.api.parameters import Body, Instant, SensorId
from services.api.parameters import Words as Text
from services.domain.catalogue import CATALOGUE, Domain, SensorKind
from services.domain.errors import InvalidInput, UnknownPlace
from services.domain.instant import to_us
from services.domain.statistic import Statistic
from services.store.connection import Connection
from services.store.query import export_rows, sensor_sets
from services.store.query.question import Question as Asked
from services.store.query.summaries import summaries

MOST_SENSORS: Final = 10_000
Moment = Annotated[Instant, PlainSerializer(lambda time: time.isoformat(), return_type=str)]


class ExportOrder(Body):
    """What the file is to hold."""

    domain: Domain = Field(
        description="Of which domain; all its sensors unless the next fields say less."
    )
    sensor_id: list[SensorId] = Field(
        default=[],
        max_length=MOST_SENSORS,
        description=f"Only these sensors, at most {MOST_SENSORS:,}.",
    )
    zone: Text | None = Field(None, description="Only sensors of this zone.")
    road: Text | None = Field(None, description="Only sensors of this road.")
    kind: SensorKind | None = Field(None, description="Only sensors of this kind.")
    start: Moment = Field(description="Start of the range, included.")
    end: Moment = Field(description="End of the range, not included.")
    metrics: list[MetricName] = Field(
        default=[], max_length=50, description="Metric columns or short names; all by default."
    )
    bucket: Bucket | None = Field(
        None, description="Length of a bucket, as for readings; raw readings without it."
    )
    aggregate: list[Statistic] = Field(
        default=[],
        max_length=len(Statistic),
        description="With bucket: statistics; avg by default.",
    )
    quality: Wanted = Field(
        Wanted.ANY,
        description="good leaves out readings that are implausible, estimated or of a suspect clock.",
    )
    include: list[Extra] = Field(
        default=[],
        max_length=4,
        description="Further columns of raw readings: received_at, stored_at.",
    )
    format: Form = Field(
        Form.PARQUET,
        description="parquet, arrow (IPC stream), csv or ndjson.",
        examples=["parquet"],
    )
    times: TimeForm = Field(
        TimeForm.ISO, description="iso (RFC 3339 in UTC), or numbers: epoch_s, epoch_ms, epoch_us."
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """An order, understood.

    Attributes:
        numbers: (s,) sensor numbers, rising; ids: their ids; all: whether they are all of the domain.
        names: metric columns.
    """

    order: ExportOrder
    numbers: NDArray[np.int32]
    ids: tuple[str, ...]
    all: bool
    names: tuple[str, ...]
    zone: str

    def table(
        self, connections: Sequence[Connection], on_progress: Callable[[float], None]
    ) -> Table:
        """The rows of the file, made as they are written; `on_progress` hears of 0 to 1.

        Args:
            connections: that read meanwhile: one, or several for raw readings.
        """
        order = self.order
        about = order.model_dump(mode="json", exclude_none=True)
        if order.bucket is None:
            return Table(self._raw_columns(), self._raw(connections, on_progress), about)
        return Table(self._bucket_columns(), self._buckets(connections[0], on_progress), about)

    def _ids(self, numbers: NDArray[np.int32]) -> Words:
        return Words(np.searchsorted(self.numbers, numbers).astype(np.int32), self.ids)

    def _raw_columns(self) -> list[Column]:
        units = CATALOGUE[self.order.domain].by_column
        return [
            Column("time", ColumnKind.TIME),
            Column("sensor_id", ColumnKind.WORD),
            *(Column(name, ColumnKind.NUMBER, units[name].unit) for name in self.names),
            Column("quality", ColumnKind.INTEGER),
            *(Column(each, ColumnKind.TIME) for each in Extra if each in self.order.include),
        ]

    def _raw(
        self, connections: Sequence[Connection], on_progress: Callable[[float], None]
    ) -> Generator[Block]:
        order = self.order
        start, end = export_rows.bounds_us(
            connections[0], order.domain, to_us(order.start), to_us(order.end)
        )
        asked = export_rows.Asked(
            order.domain,
            self.names,
            int(order.quality.excluded),
            tuple(each.value for each in Extra if each in order.include),
        )
        numbers = None if self.all else self.numbers
        place = _places(self.numbers)
        with closing(export_rows.pieces(connections, asked, numbers, start, end)) as pieces:
            for piece in pieces:
                codes = place[np.minimum(piece.sensor, len(place) - 1)]
                rows = piece
                if self.all and not (known := codes >= 0).all():  # registered meanwhile
                    codes, rows = codes[known], piece.take(known)
                if len(rows):
                    yield {
                        "time": rows.at_us,
                        "sensor_id": Words(codes, self.ids),
                        **rows.values,
                        "quality": rows.quality,
                        **rows.stamps,
                    }
                on_progress((piece.end_us - start) / max(end - start, 1))

    def _statistics(self) -> tuple[Statistic, ...]:
        return tuple(dict.fromkeys(self.order.aggregate)) or (Statistic.AVG,)

    def _pairs(self) -> list[tuple[str, Statistic, str]]:
        kinds = self._statistics()
        return [
            (name, each, name if len(kinds) == 1 else f"{name}_{each}")
            for name in self.names
            for each in kinds
        ]

    def _bucket_columns(self) -> list[Column]:
        units = CATALOGUE[self.order.domain].by_column
        return [
            Column("time", ColumnKind.TIME),
            Column("sensor_id", ColumnKind.WORD),
            *(
                Column(
                    name, ColumnKind.NUMBER, "1" if kind is Statistic.COUNT else units[metric].unit
                )
                for metric, kind, name in self._pairs()
            ),
        ]

    def _buckets(
        self, connection: Connection, on_progress: Callable[[float], None]
    ) -> Iterator[Block]:
        for block in summaries(connection, self.question()):
            buckets = len(block.edges_us) - 1
            whole: dict[str, Values] = {
                "time": np.tile(block.edges_us[:-1], len(block.sensor)),
                "sensor_id": self._ids(np.repeat(block.sensor, buckets)),
            }
            for metric, kind, name in self._pairs():
                values = block.values[metric][kind].ravel()
                whole[name] = (
                    np.where(values == 0, np.nan, values) if kind is Statistic.COUNT else values
                )
            yield whole
            last = int(np.searchsorted(self.numbers, block.sensor[-1])) + 1
            on_progress(last / max(len(self.numbers), 1))

    def question(self) -> Asked:
        """The store's question about the buckets."""
        order = self.order
        assert order.bucket is not None
        return Asked(
            order.domain,
            self.numbers.tolist(),
            self.names,
            order.start,
            order.end,
            order.bucket.buckets(self.zone),
            self._statistics(),
            order.quality.excluded,
        )


def plan(connection: Connection, order: ExportOrder) -> Plan:
    """What an order means now.

    Raises:
        InvalidInput: a field contradicts another, or the range is empty.
        UnknownSensors, UnknownPlace: nobody knows what it names.
        FormMissing: the form needs a package that is not installed.
    """
    if order.format not in STREAMED:
        raise InvalidInput("format", order.format, f"one of {', '.join(sorted(STREAMED))}")
    if order.format in NEEDS_ARROW:
        arrow.require(order.format)
    if order.start >= order.end:
        raise InvalidInput("end", order.end.isoformat(), "a time after start")
    _check_together(order)
    names = tuple(metric_names(order.domain, order.metrics))
    whole = not (order.sensor_id or order.zone or order.road or order.kind)
    if order.sensor_id:
        found = sensor_sets.by_ids(connection, order.sensor_id)
        if any(each.sensor.domain is not order.domain for each in found):
            raise InvalidInput("sensor_id", order.domain, f"sensors of {order.domain} only")
        numbers = np.array([each.number for each in found], np.int32)
        ids = [each.sensor.id for each in found]
    else:
        numbers, ids = sensor_sets.names_of(
            connection, order.domain, zone=order.zone, road=order.road, kind=order.kind
        )
        for kind, name in (("zone", order.zone), ("road", order.road)):
            if name is not None and not ids:
                raise UnknownPlace(kind, name)
    rank = np.argsort(numbers)
    made = Plan(
        order,
        numbers[rank],
        tuple(ids[at] for at in rank.tolist()),
        whole,
        names,
        sensor_sets.zone_of(connection, numbers[rank]),
    )
    if order.bucket is not None:
        made.question()
    return made


def _check_together(order: ExportOrder) -> None:
    if order.bucket is None and order.aggregate:
        raise InvalidInput("aggregate", order.aggregate[0], "only together with bucket")
    for each in order.include:
        if order.bucket is not None or each not in OF_RAW:
            raise InvalidInput("include", each, "received_at or stored_at, without bucket")
    if order.sensor_id:
        for field in ("zone", "road", "kind"):
            if (value := getattr(order, field)) is not None:
                raise InvalidInput(field, value, "not together with sensor_id")


def _places(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sensor number -> its place in the (s,) rising numbers; -1 for others, and at the end."""
    places = np.full(int(numbers.max(initial=0)) + 2, -1, np.int32)
    places[numbers] = np.arange(len(numbers), dtype=np.int32)
    return places

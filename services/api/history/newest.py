"""The newest reading of one sensor, or of thousands at once, by observed time and with its age.

Sensors that have never spoken are there too, without a time: silence is visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from numpy.typing import NDArray
from pydantic import Field

from services.api.access import read
from services.api.answers import Answer
from services.api.documents import LatestDocument
from services.api.history.forms.answer import respond
from services.api.history.forms.negotiation import TABLES, choose
from services.api.history.forms.table import (
    NO_TIME,
    Block,
    Column,
    ColumnKind,
    Table,
    Values,
    Words,
)
from services.api.history.forms.writers import FormParameters
from services.api.history.reading_documents import LatestColumns, LatestRows
from services.api.history.reading_examples import LATEST, contents
from services.api.history.reading_parameters import MOST_SENSORS, MetricName
from services.api.history.reading_question import metric_names, one_domain
from services.api.parameters import SensorId
from services.api.parameters import Words as Text
from services.api.problems import documented
from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain, SensorKind
from services.domain.errors import InvalidInput, UnknownPlace
from services.domain.instant import from_us, to_us
from services.store.connection import Connection
from services.store.query import sensor_sets
from services.store.query.history import MOST_LATEST, History
from services.store.sensors import SensorRepository

router = APIRouter(tags=["readings"], dependencies=[Depends(read)])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One row for each sensor, in the order of ids; JSON by columns unless asked otherwise",
        "content": contents(LATEST, LatestColumns, LatestRows),
    },
    304: {"description": "Nothing has changed since the answer that If-None-Match names"},
    **documented(401, 403, 404, 406, 422, 501, 503),
}


class LatestParameters(FormParameters):
    """The newest readings of which sensors."""

    sensor_id: list[SensorId] = Field(
        default=[], max_length=MOST_SENSORS, description="These sensors, repeated, of one domain."
    )
    domain: Domain | None = Field(
        None, description="All sensors of this domain, unless `sensor_id` names some."
    )
    zone: Text | None = Field(None, description="With `domain`: only of this zone.")
    road: Text | None = Field(None, description="With `domain`: only of this road.")
    kind: SensorKind | None = Field(None, description="With `domain`: only of this kind.")
    metrics: list[MetricName] = Field(
        default=[], max_length=50, description="Metric columns or short names; all by default."
    )


@router.get(
    "/v1/sensors/{sensor_id}/latest",
    summary="The newest reading of one sensor",
    responses={
        200: {"model": LatestDocument, "description": "The newest values"},
        **documented(401, 403, 404, 422, 503),
    },
)
def latest(request: Request, sensor_id: SensorId) -> Answer:
    """Give the reading with the newest observed time, and its age."""
    with request.app.state.database.connection() as connection:
        found = SensorRepository(connection).registered(sensor_id)
        batch = History(connection).latest(found.sensor.domain, [found.number]).batch
    if not len(batch):
        return Answer({"sensor_id": sensor_id, "time": None, "age_s": None, "values": {}})
    time = from_us(int(batch.observed_us[0]))
    units = CATALOGUE[found.sensor.domain].by_column
    return Answer(
        {
            "sensor_id": sensor_id,
            "time": time,
            "age_s": (datetime.now(UTC) - time).total_seconds(),
            "values": {
                name: {"time": time, "value": float(values[0]), "unit": units[name].unit}
                for name, values in batch.metrics.items()
                if not np.isnan(values[0])
            },
        }
    )


@router.get(
    "/v1/latest",
    summary="The newest readings of many sensors",
    response_class=Response,
    responses=_ANSWERS,
)
def of_many(request: Request, chosen: Annotated[LatestParameters, Query()]) -> Response:
    """Give the newest reading of each of thousands of sensors at once, with its age in seconds.

    A sensor that has never spoken has a row without a time.
    """
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    with request.app.state.database.connection() as connection:
        domain, numbers, ids = _wanted(connection, chosen)
        names = metric_names(domain, chosen.metrics)
        now = datetime.now(UTC)
        batch = History(connection).latest(domain, numbers.tolist(), metrics=names).batch
    block = laid_out(batch, numbers, ids, names, to_us(now))
    units = CATALOGUE[domain].by_column
    columns = [
        Column("sensor_id", ColumnKind.WORD),
        Column("time", ColumnKind.TIME),
        Column("age_s", ColumnKind.NUMBER, "s"),
        *(Column(name, ColumnKind.NUMBER, units[name].unit) for name in names),
    ]
    about = {
        "now": now,
        "metrics": [{"name": name, "unit": units[name].unit} for name in names],
    }
    table = Table(columns, iter([block]), about)
    return respond(request, table, form, chosen.times, "latest", whole=True)


def laid_out(
    batch: ReadingBatch,
    numbers: NDArray[np.int32],
    ids: Sequence[str],
    names: Sequence[str],
    now_us: int,
) -> Block:
    """One row for each of n sensors, in their order, of the newest readings of those that have any."""
    order = np.argsort(numbers)
    at = order[np.searchsorted(numbers[order], batch.sensor)]
    n = len(numbers)
    time = np.full(n, NO_TIME, np.int64)
    time[at] = batch.observed_us
    age = np.where(time == NO_TIME, np.nan, (now_us - time) / 1e6)
    block: dict[str, Values] = {
        "sensor_id": Words(np.arange(n, dtype=np.int32), ids),
        "time": time,
        "age_s": age,
    }
    for name in names:
        column = np.full(n, np.nan)
        column[at] = batch.metrics[name]
        block[name] = column
    return block


def _wanted(
    connection: Connection, chosen: LatestParameters
) -> tuple[Domain, NDArray[np.int32], list[str]]:
    if chosen.sensor_id:
        for field in ("domain", "zone", "road", "kind"):
            if (value := getattr(chosen, field)) is not None:
                raise InvalidInput(field, value, "not together with sensor_id")
        found = sensor_sets.by_ids(connection, chosen.sensor_id)
        numbers = np.array([each.number for each in found], np.int32)
        return one_domain(found), numbers, [each.sensor.id for each in found]
    if chosen.domain is None:
        raise InvalidInput("domain", None, f"one of {', '.join(Domain)}, or give sensor_id")
    numbers, ids = sensor_sets.names_of(
        connection, chosen.domain, zone=chosen.zone, road=chosen.road, kind=chosen.kind
    )
    for kind, name in (("zone", chosen.zone), ("road", chosen.road)):
        if name is not None and not ids:
            raise UnknownPlace(kind, name)
    if len(ids) > MOST_LATEST:
        rule = f"at most {MOST_LATEST:,} sensors at once: choose a zone, a road or a kind"
        raise InvalidInput("domain", chosen.domain, rule)
    return chosen.domain, numbers, ids

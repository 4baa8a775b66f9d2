"""Readings: a range of one or many sensors, raw or in buckets, in the form that the client takes; and the newest.

It refuses to hold a range in memory: documents come in pages, the other forms in blocks, too many buckets are answered
with the bucket that would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from services.api.access import read
from services.api.examples.readings import READINGS
from services.api.history.forms.answer import respond
from services.api.history.forms.negotiation import STREAMED, TABLES, Form, choose
from services.api.history.forms.table import Table
from services.api.history.gaps import Gaps
from services.api.history.reading_buckets import Layout
from services.api.history.reading_documents import ReadingColumns, ReadingRows
from services.api.history.reading_examples import contents
from services.api.history.reading_parameters import (
    LARGEST_PAGE,
    OF_RAW,
    USUAL_PAGE,
    Extra,
    ManyParameters,
    ReadingParameters,
)
from services.api.history.reading_question import Question, question, sensors_of
from services.api.history.reading_raw import RawTable, refuse_too_many
from services.api.parameters import SensorId
from services.api.problems import documented
from services.domain.catalogue import CATALOGUE
from services.domain.errors import InvalidInput
from services.domain.statistic import Statistic
from services.store.sensors import SensorRepository

router = APIRouter(tags=["readings"], dependencies=[Depends(read)])

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Readings in the form asked for; JSON by columns otherwise",
        "content": contents(READINGS, ReadingColumns, ReadingRows),
    },
    304: {"description": "Nothing has changed since the answer that If-None-Match names"},
    **documented(401, 403, 404, 406, 422, 501, 503),
}


@router.get(
    "/v1/sensors/{sensor_id}/readings",
    summary="Readings of one sensor",
    response_class=Response,
    responses=_ANSWERS,
)
def of_one(
    request: Request, sensor_id: SensorId, chosen: Annotated[ReadingParameters, Query()]
) -> Response:
    """Give the readings of a range, oldest first, by columns. Missing values and empty buckets are null."""
    with request.app.state.database.connection() as connection:
        sensor = SensorRepository(connection).registered(sensor_id)
    asked = question([sensor], chosen.metrics, chosen)
    return _readings(request, asked, chosen, {"sensor_id": sensor_id}, many=False)


@router.get(
    "/v1/readings",
    summary="Readings of many sensors",
    response_class=Response,
    responses=_ANSWERS,
)
def of_many(request: Request, chosen: Annotated[ManyParameters, Query()]) -> Response:
    """Give the readings of several sensors of one domain, by their ids or all of a zone or a road.

    They come in the order of time, with a column `sensor_id`.
    """
    with request.app.state.database.connection() as connection:
        found = sensors_of(connection, chosen)
    asked = question(found, chosen.metrics, chosen)
    about: dict[str, object] = {"sensor_id": [each.sensor.id for each in found]}
    return _readings(request, asked, chosen, about, many=True)


def _readings(
    request: Request,
    asked: Question,
    chosen: ReadingParameters,
    about: dict[str, object],
    *,
    many: bool,
) -> Response:
    form = choose(chosen.format, request.headers.get("accept"), TABLES)
    about = about | _about(asked, chosen)
    name = "readings" if many else asked.sensors[0].sensor.id
    make = _buckets if chosen.bucket is not None else _raw
    table, whole = make(request, asked, chosen, form, about, many=many)
    return respond(request, table, form, chosen.times, name, whole=whole)


def _raw(
    request: Request,
    asked: Question,
    chosen: ReadingParameters,
    form: Form,
    about: Mapping[str, object],
    *,
    many: bool,
) -> tuple[Table, bool]:
    """The table of raw readings, and whether it is one page."""
    _refuse(chosen, ("aggregate", "gaps", "longest_gap", "compare"), "only together with bucket")
    _refuse_extras(chosen, OF_RAW, "without bucket")
    raw = RawTable(asked, chosen.quality, frozenset(chosen.include), many)
    database = request.app.state.database
    if form in STREAMED and chosen.limit is None and chosen.after is None:
        with database.connection() as connection:
            refuse_too_many(connection, asked, request.app.state.settings.direct_readings)
        return Table(raw.columns(), raw.blocks(database), about), False
    with database.connection() as connection:
        block, following = raw.page(connection, chosen.limit or USUAL_PAGE, chosen.after)
    return Table(raw.columns(), iter([block]), about, following), True


def _buckets(
    request: Request,
    asked: Question,
    chosen: ReadingParameters,
    form: Form,
    about: Mapping[str, object],
    *,
    many: bool,
) -> tuple[Table, bool]:
    """The table of buckets, and whether it is one page."""
    assert chosen.bucket is not None
    _refuse(chosen, ("after",), "only without bucket")
    _refuse_extras(chosen, frozenset(Extra) - OF_RAW, "with bucket")
    if chosen.longest_gap is not None and chosen.gaps is Gaps.NULL:
        raise InvalidInput("longest_gap", chosen.longest_gap.text, "only with gaps")
    if Extra.BASELINE in chosen.include and chosen.bucket.months:
        raise InvalidInput("include", "baseline", "share, or buckets of at most a week")
    layout = Layout(
        asked=asked,
        bucket=chosen.bucket,
        statistics=statistics(chosen),
        exclude=chosen.quality.excluded,
        gaps=chosen.gaps,
        longest_gap=chosen.longest_gap,
        share=Extra.SHARE in chosen.include,
        baseline=Extra.BASELINE in chosen.include,
        compare=chosen.compare,
        with_ids=many,
    )
    database = request.app.state.database
    if form in STREAMED and chosen.limit is None:
        layout.refuse_too_many(request.app.state.settings.direct_readings)
        small = layout.cells() <= LARGEST_PAGE  # made at once, with an ETag
        return Table(layout.columns(), layout.blocks(database), about), small
    block = layout.document(database, chosen.limit or USUAL_PAGE)
    return Table(layout.columns(), iter([block]), about), True


def statistics(chosen: ReadingParameters) -> tuple[Statistic, ...]:
    """The statistics asked for; the mean by default."""
    return tuple(dict.fromkeys(chosen.aggregate)) or (Statistic.AVG,)


def _about(asked: Question, chosen: ReadingParameters) -> dict[str, object]:
    kinds = statistics(chosen) if chosen.bucket else ()
    units = CATALOGUE[asked.domain].by_column
    only_count = kinds == (Statistic.COUNT,)
    return {
        "start": asked.start,
        "end": asked.end,
        "bucket": chosen.bucket.text if chosen.bucket else None,
        "aggregate": ",".join(kinds) or None,
        "metrics": [
            {"name": name, "unit": "1" if only_count else units[name].unit} for name in asked.names
        ],
    }


def _refuse(chosen: ReadingParameters, fields: Sequence[str], rule: str) -> None:
    for field in fields:
        value = getattr(chosen, field)
        if value and value is not Gaps.NULL:
            shown = ", ".join(value) if isinstance(value, list) else getattr(value, "text", value)
            raise InvalidInput(field, shown, rule)


def _refuse_extras(chosen: ReadingParameters, known: frozenset[Extra], when: str) -> None:
    for each in chosen.include:
        if each not in known:
            names = ", ".join(sorted(known))
            raise InvalidInput("include", each.value, f"{when} there is {names}")

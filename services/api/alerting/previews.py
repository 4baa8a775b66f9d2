"""Previews of rules: ask what other limits would have told, see how far it is, read the answer, cancel.

It refuses to change a setting: those are a file that is reviewed and read at a start.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field, FiniteFloat, model_validator

from services.api.access import Principal, operate, read
from services.api.answers import Answer
from services.api.documents import SAME_AS_DATA, Document, SaidDocument
from services.api.errors import NeighbourMissing, PreviewsFull
from services.api.parameters import Body, Instant, Parameters, SensorId, Words
from services.api.problems import documented
from services.domain.alert import Verdict
from services.domain.condition import Rule, Severity
from services.domain.errors import InvalidInput
from services.domain.sentences.problem import problem, said_of
from services.store.past import newest_time
from services.store.previews import Preview, PreviewRepository, PreviewState, extent

router = APIRouter(tags=["alerts"])
_LOG: Final = logging.getLogger("citygauge.api")
_MOST: Final = 10
_LONGEST: Final = timedelta(days=366)
PreviewId = Annotated[UUID, Path(description="The preview's id.")]


class PreviewOrder(Body):
    """Other limits, and over which readings to try them."""

    changes: dict[str, FiniteFloat] = Field(
        min_length=1,
        max_length=20,
        description="Other values, by the names of GET /v1/rules, in the unit that ends the name.",
    )
    start: Instant | None = Field(None, description="Alerts told from then on; or give `days`.")
    days: float = Field(
        30.0, gt=0, le=366, description="Without `start`: so many days before `end`."
    )
    end: Instant | None = Field(
        None, description="Readings up to then; up to the newest one when not given."
    )
    sensor_id: SensorId | None = Field(None, description="Only this sensor's alerts.")
    zone: Words | None = Field(None, description="Only this zone's.")
    road: Words | None = Field(None, description="Only this road's.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(each is not None for each in (self.sensor_id, self.zone, self.road)) > 1:
            raise ValueError("give one of sensor_id, zone and road, or none of them")
        return self


class Outcome(StrEnum):
    """Whether an alert is told by both configurations, by the changed one alone, or by the present one alone."""

    KEPT = "kept"
    GAINED = "gained"
    LOST = "lost"


class PreviewFigures(Document):
    """What a configuration told."""

    told: int = Field(description="Alerts that people would have had.")
    right: int = Field(description="Of them, those whose past alert people judged right.")
    wrong: int = Field(description="Of them, those whose past alert people judged wrong.")
    unjudged: int = Field(description="Of them, those of which nobody said.")
    precision: float | None = Field(description="Right of right and wrong, 0 to 1.")
    median_h: float | None = Field(description="Hours from beginning to alert, median.")


class PreviewTold(Document):
    """An alert as one configuration tells it."""

    started_at: datetime = Field(description="When it began in the data.")
    told_at: datetime = Field(description="When a person would have known.")
    ended_at: datetime | None = Field(description="When it was over; null: still on at the end.")
    severity: Severity = Field(description="The worst that it reached.")


class PreviewAlert(Document):
    """An alert of either configuration, or of both."""

    outcome: Outcome = Field(description="kept, gained or lost.")
    rule: Rule = Field(description="The rule.")
    sensor_id: str = Field(description="The sensor.")
    name: str | None = Field(description="What people call it.")
    time_zone: str = Field(description="IANA zone of its local times.")
    present: PreviewTold | None = Field(description="With the present settings.")
    changed: PreviewTold | None = Field(description="With the changed ones.")
    sentence: str = Field(description="What people would have read.")
    alert_id: UUID | None = Field(
        description="The alert that people had then and there: of this rule, or of the same kind of trouble."
    )
    alert_rule: Rule | None = Field(description="Its rule.")
    verdict: Verdict | None = Field(description="How it ended, where somebody said.")


class PreviewResult(Document):
    """The comparison."""

    sensors: int = Field(description="Sensors whose alerts were compared.")
    present: PreviewFigures = Field(description="The present settings.")
    changed: PreviewFigures = Field(description="The changed ones.")
    kept: int = Field(description="Alerts of both.")
    gained: int = Field(description="Alerts of the changed settings alone.")
    lost: int = Field(description="Alerts of the present settings alone.")
    not_again: int = Field(
        description="Alerts that people had then, and that the present settings do not tell again: settings, data or "
        "the register have changed since."
    )
    items: list[PreviewAlert] = Field(
        description="The alerts: gained, lost, kept but different, the same; at most 300 of each outcome."
    )


class PreviewDocument(Document):
    """One preview."""

    id: UUID = Field(description="Its id.")
    state: PreviewState = Field(description="waiting, running, done, failed or cancelled.")
    asked: PreviewOrder = Field(description="What was asked for; start and end filled in.")
    asked_by: str = Field(description="Whose key asked.")
    created_at: datetime = Field(description="When.")
    progress: float = Field(description="0 to 1.")
    result: PreviewResult | None = Field(description="The answer, once it is done; not in lists.")
    problem: str | None = Field(description="Why it failed, and what to do.")
    problem_said: SaidDocument | None = Field(description=SAME_AS_DATA)
    finished_at: datetime | None = Field(description="When it ended.")


class PreviewList(Document):
    """Previews, the newest first."""

    items: list[PreviewDocument] = Field(description="The previews, without their results.")


class ListParameters(Parameters):
    """How many previews."""

    limit: int = Field(20, ge=1, le=100, description="Most previews of the list.")


@router.post(
    "/v1/rules/previews",
    status_code=202,
    summary="Ask what other limits would have told",
    responses={
        202: {"model": PreviewDocument, "description": "The job; its address is in Location"},
        **documented(401, 403, 404, 413, 422, 501, 503),
    },
)
def create(
    request: Request, order: PreviewOrder, who: Annotated[Principal, Depends(operate)]
) -> Answer:
    """Run the very detectors of the service over stored readings, with the present limits and with others.

    It is made in the background, one at a time, bounded in time and memory; nothing is changed by it. How many readings
    it may expect to read is bounded too (setting preview_readings): ask for a shorter time, or for a place.
    """
    state = request.app.state
    if state.neighbours.previewer is None:
        raise NeighbourMissing("try settings")
    state.neighbours.previewer.check(order.changes)
    with state.database.connection() as connection:
        end = order.end or newest_time(connection)
        if end is None:
            raise InvalidInput("end", None, problem("stored"))
        start = order.start or end - timedelta(days=order.days)
        if not timedelta(0) < end - start <= _LONGEST:
            raise InvalidInput("start", start.isoformat(), "a time before end, at most 366 days")
        sensors, a_day = extent(
            connection, sensor_id=order.sensor_id, zone=order.zone, road=order.road
        )
        readings, most = (
            a_day * ((end - start) / timedelta(days=1)),
            state.settings.preview_readings,
        )
        if readings > most:
            allowed = problem(
                "preview_large", sensors=sensors, readings=f"{readings:,.0f}", most=f"{most:,}"
            )
            raise InvalidInput("start", start.isoformat(), allowed)
        full = order.model_copy(update={"start": start, "end": end})
        asked = full.model_dump(mode="json", exclude_none=True)
        preview = PreviewRepository(connection).add(asked, who.name, most=_MOST)
    if preview is None:
        raise PreviewsFull(_MOST)
    _LOG.info("preview asked id=%s changes=%s by=%s", preview.id, order.changes, who.name)
    state.previews.hint()
    return Answer(document(preview), 202, headers={"Location": f"/v1/rules/previews/{preview.id}"})


@router.get(
    "/v1/rules/previews",
    summary="List previews of rules",
    dependencies=[Depends(read)],
    responses={
        200: {"model": PreviewList, "description": "The newest previews"},
        **documented(401, 403, 422, 503),
    },
)
def previews(request: Request, chosen: Annotated[ListParameters, Query()]) -> Answer:
    """List what was tried, the newest first; previews are kept for 30 days."""
    with request.app.state.database.connection() as connection:
        found = PreviewRepository(connection).newest(chosen.limit)
    return Answer({"items": [document(each) for each in found]})


@router.get(
    "/v1/rules/previews/{preview_id}",
    summary="One preview of rules",
    dependencies=[Depends(read)],
    responses={
        200: {"model": PreviewDocument, "description": "The preview as it is now"},
        **documented(401, 403, 404, 422, 503),
    },
)
def preview(request: Request, preview_id: PreviewId) -> Answer:
    """Say how far a preview is; give its result when it is done."""
    with request.app.state.database.connection() as connection:
        return Answer(document(PreviewRepository(connection).get(preview_id)))


@router.delete(
    "/v1/rules/previews/{preview_id}",
    status_code=204,
    summary="Cancel a preview of rules",
    dependencies=[Depends(operate)],
    response_class=Response,
    responses={
        204: {"description": "It is cancelled, or was over already"},
        **documented(401, 403, 404, 422, 503),
    },
)
def cancel(request: Request, preview_id: PreviewId) -> Response:
    """Stop a preview that is not done. Doing so twice is no error."""
    with request.app.state.database.connection() as connection:
        PreviewRepository(connection).cancel(preview_id)
    return Response(status_code=204)


def document(preview: Preview) -> dict[str, object]:
    """The preview as it is served."""
    known = {name: getattr(preview, name) for name in _FIELDS}
    return {**known, "problem_said": said_of(preview.problem)}


_FIELDS: Final = tuple(name for name in PreviewDocument.model_fields if name != "problem_said")

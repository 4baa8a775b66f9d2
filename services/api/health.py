"""Whether the process lives, whether it can work, and its metrics. These need no key (metrics: by setting)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field

from services.api import access
from services.api.answers import Answer
from services.api.documents import Document
from services.api.metrics import ApiMetrics
from services.api.problems import documented
from services.domain.errors import Unavailable
from services.store.migrations import MigrationFailed, pending_of

router = APIRouter(tags=["health"])
_READY_S: Final = 3.0
"""Who watches over services waits a few seconds for an answer."""


class HealthDocument(Document):
    """State of the service."""

    status: str = Field(description="`ok`.")


@router.get(
    "/healthz",
    summary="Whether the process lives",
    responses={200: {"model": HealthDocument, "description": "It does"}},
)
async def healthz() -> Answer:
    """Answer at once, without asking the database."""
    return Answer({"status": "ok"})


@router.get(
    "/readyz",
    summary="Whether the service can work",
    responses={
        200: {"model": HealthDocument, "description": "The database answers and is up to date"},
        **documented(503),
    },
)
async def readyz(request: Request) -> Answer:
    """Ask the database for an answer and for its schema's version, over a connection that is kept."""
    try:
        async with asyncio.timeout(_READY_S):
            missing = await pending_of(request.app.state.asker)
    except TimeoutError as error:
        raise Unavailable("database", f"it did not answer within {_READY_S:g} s") from error
    except MigrationFailed as error:
        raise Unavailable("database", str(error)) from error
    if missing:
        raise Unavailable(
            "database", f"its schema lacks {', '.join(missing)}; run citygauge migrate"
        )
    return Answer({"status": "ok"})


def _reader(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(access.bearer)],
    header: Annotated[str | None, Depends(access.header)],
    cookie: Annotated[str | None, Depends(access.cookie)],
) -> None:
    if request.app.state.settings.metrics_need_key:
        access.read.check(request, bearer.credentials if bearer else header, cookie)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Text exposition format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **documented(401, 403, 503),
    },
    dependencies=[Depends(_reader)],
)
def metrics(request: Request) -> Response:
    """Counters, gauges and histograms of this process; docs/metrics.md explains each."""
    state: ApiMetrics = request.app.state.metrics
    return Response(state.exposition(), media_type=ApiMetrics.CONTENT_TYPE)

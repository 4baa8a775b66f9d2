"""Whether the process lives, whether it can work, and its metrics. These need no key (metrics: by setting)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field

from services.api import access
from services.api.answers import Answer
from services.api.documents import Document
from services.api.metrics import ApiMetrics
from services.api.problems import documented
from services.domain.errors import Unavailable
from services.store.migrations import pending

router = APIRouter(tags=["health"])


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
def readyz(request: Request) -> Answer:
    """Ask the database for an answer and for its schema's version."""
    missing = pending(request.app.state.database.url)
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

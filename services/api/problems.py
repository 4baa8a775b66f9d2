"""Every error as RFC 9457 problem details, and the only place that chooses HTTP statuses.

It refuses to tell what is inside: an unexpected error becomes a plain 500, its cause goes to the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec
import psycopg
import psycopg_pool
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from services.api import errors as api
from services.domain import errors as domain
from services.domain.sentences.bounds import bound_of
from services.domain.sentences.problem import said_of

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
_LOG: Final = logging.getLogger("citygauge.api")
_LONGEST_VALUE: Final = 200


class FieldProblem(BaseModel):
    """One field of a request that is wrong."""

    field: str = Field(description="The parameter or the field of the body, by its name.")
    value: Any = Field(None, description="What was sent, shortened.")
    allowed: str = Field(description="What would do.")


class Problem(BaseModel):
    """RFC 9457 problem details: what went wrong and what to do about it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:citygauge:problem:invalid-input",
                    "title": "A value is not valid",
                    "status": 422,
                    "detail": "end: '2026-01-01T00:00:00Z' is not valid; a time after start",
                    "instance": "/v1/sensors/M-17/readings",
                    "field": "end",
                    "value": "2026-01-01T00:00:00Z",
                    "allowed": "a time after start",
                }
            ]
        }
    )

    type: str = Field(description="Names the kind of problem; programs decide by it.")
    title: str = Field(description="The kind of problem in words, the same each time.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time, in a sentence.")
    instance: str = Field(description="The path that was asked for.")
    field: str | None = Field(None, description="The parameter or field that is wrong (422).")
    value: Any = Field(None, description="What was sent for it, shortened (422).")
    allowed: str | None = Field(None, description="What would do instead (422).")
    said: dict[str, Any] | None = Field(
        None,
        description="`allowed`, or else `detail`, as data, to be filled into GET /v1/sentences; absent where no "
        "template says it.",
    )
    errors: list[FieldProblem] | None = Field(
        None, description="Every wrong field, where there are several (422)."
    )
    current: dict[str, Any] | None = Field(
        None, description="The thing as it is now, where somebody else changed it first (409)."
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, the last part of its type, its title."""

    status: HTTPStatus
    slug: str
    title: str


INVALID: Final = Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input", "A value is not valid")
UNAVAILABLE: Final = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The service cannot answer just now"
)
BROKEN: Final = Kind(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side"
)

KINDS: Final[Mapping[type[Exception], Kind]] = {
    domain.InvalidInput: INVALID,
    domain.UnknownSensor: Kind(HTTPStatus.NOT_FOUND, "unknown-sensor", "No such sensor"),
    domain.UnknownSensors: Kind(HTTPStatus.NOT_FOUND, "unknown-sensor", "No such sensor"),
    domain.UnknownPlace: Kind(HTTPStatus.NOT_FOUND, "unknown-place", "No such zone or road"),
    domain.UnknownExport: Kind(HTTPStatus.NOT_FOUND, "unknown-export", "No such export"),
    api.ExportsFull: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "too-many-exports", "Too many exports are waiting"
    ),
    domain.UnknownPreview: Kind(HTTPStatus.NOT_FOUND, "unknown-preview", "No such preview"),
    api.PreviewsFull: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "too-many-previews", "Too many previews are waiting"
    ),
    api.NeighbourMissing: Kind(
        HTTPStatus.NOT_IMPLEMENTED, "neighbour-missing", "This server cannot do that"
    ),
    api.NotReady: Kind(HTTPStatus.CONFLICT, "not-ready", "There is no file"),
    api.RangeNotThere: Kind(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range-not-there", "No such part of the file"
    ),
    domain.UnknownAlert: Kind(HTTPStatus.NOT_FOUND, "unknown-alert", "No such alert"),
    domain.UnknownSuppression: Kind(
        HTTPStatus.NOT_FOUND, "unknown-suppression", "No such exemption or maintenance window"
    ),
    domain.InvalidTransition: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "change-not-allowed",
        "The alert's state does not allow this change",
    ),
    domain.Conflict: Kind(HTTPStatus.CONFLICT, "conflict", "Somebody else changed it first"),
    domain.Unavailable: UNAVAILABLE,
    api.NotSignedIn: Kind(HTTPStatus.UNAUTHORIZED, "not-signed-in", "A valid key is needed"),
    api.ScopeMissing: Kind(HTTPStatus.FORBIDDEN, "scope-missing", "The key does not allow this"),
    api.ForeignRequest: Kind(HTTPStatus.FORBIDDEN, "foreign-request", "Not from the console"),
    domain.UnknownMessage: Kind(HTTPStatus.NOT_FOUND, "unknown-message", "No such message"),
    api.UnknownRoute: Kind(HTTPStatus.NOT_FOUND, "unknown-route", "No such route"),
    api.TooLarge: Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The request is too large"
    ),
    api.NotAcceptable: Kind(HTTPStatus.NOT_ACCEPTABLE, "not-acceptable", "Not in that form"),
    api.FormMissing: Kind(
        HTTPStatus.NOT_IMPLEMENTED, "form-missing", "This server lacks that form"
    ),
    api.TooManyStreams: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "too-many-streams", "Too many live streams"
    ),
    api.ClientGone: UNAVAILABLE,
    psycopg_pool.PoolTimeout: UNAVAILABLE,
    psycopg_pool.PoolClosed: UNAVAILABLE,
    psycopg.errors.QueryCanceled: UNAVAILABLE,
    psycopg.OperationalError: UNAVAILABLE,
}

_PLAIN: Final[Mapping[int, str]] = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take that method; see the header Allow.",
}


def problem(
    kind: Kind,
    detail: str,
    instance: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """The answer for one problem; `more` holds its extension members, None left out."""
    body: dict[str, object] = {
        "type": f"urn:citygauge:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status.value,
        "detail": detail,
        "instance": instance,
    }
    said = said_of(str(more.get("allowed") or detail))
    body |= {} if said is None else {"said": said}
    body |= {name: value for name, value in more.items() if value is not None}
    headers = dict(headers or {})
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    if kind.status is HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="citygauge"')
    return Response(
        msgspec.json.encode(body, enc_hook=str), kind.status, headers, media_type=MEDIA_TYPE
    )


def of_error(error: Exception, instance: str) -> Response:
    """The answer for an error that a handler raised."""
    kind = next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), BROKEN)
    if kind is BROKEN:
        _LOG.error(
            "request failed path=%s error=%s", instance, type(error).__name__, exc_info=error
        )
        return problem(BROKEN, "The error has been logged. Please tell an administrator.", instance)
    match error:
        case domain.InvalidInput(field=field, value=value, allowed=allowed):
            shown = _shown(value)
            return problem(kind, str(error), instance, field=field, value=shown, allowed=allowed)
        case domain.InvalidTransition():
            can = ", ".join(error.allowed) or "nothing"
            return problem(
                kind, str(error), instance, field="change", value=error.change, allowed=can
            )
        case domain.Conflict():
            return problem(kind, str(error), instance, current=dict(error.current))
        case domain.CitygaugeError() if not isinstance(error, psycopg.Error):
            return problem(kind, str(error), instance)
    _LOG.warning("unavailable path=%s cause=%s", instance, error)
    waited = getattr(error, "sqlstate", None) == psycopg.errors.QueryCanceled.sqlstate
    return problem(
        kind,
        "The question took too long. Ask for a shorter range or larger buckets."
        if waited
        else "The database does not answer just now. Please try again in a moment.",
        instance,
    )


def of_fields(found: list[FieldProblem], instance: str) -> Response:
    """The answer for a request with wrong fields; the first one is told in the sentence."""
    first = found[0]
    return problem(
        INVALID,
        f"{first.field}: {first.allowed}",
        instance,
        field=first.field,
        value=first.value,
        allowed=first.allowed,
        errors=[each.model_dump() for each in found] if len(found) > 1 else None,
    )


def install(app: FastAPI) -> None:
    """Make every error that reaches `app` a problem."""

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [
            FieldProblem(
                field=_field(each["loc"]), value=_shown(each.get("input")), allowed=_allowed(each)
            )
            if each["type"] != "json_invalid"
            else _NO_JSON
            for each in error.errors()
        ]
        return of_fields(found, request.url.path)

    def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 400:  # the framework could not read the body
            return of_fields([_NO_JSON], request.url.path)
        status = HTTPStatus(error.status_code)
        kind = Kind(status, status.phrase.lower().replace(" ", "-"), status.phrase)
        detail = _PLAIN.get(status, str(error.detail))
        return problem(kind, detail, request.url.path, headers=error.headers)

    def known(request: Request, error: Exception) -> Response:
        return of_error(error, request.url.path)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    for cls in (domain.CitygaugeError, psycopg.Error, psycopg_pool.PoolTimeout):
        app.add_exception_handler(cls, known)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the given error statuses."""
    return {
        status: {
            "description": _MEANING[status],
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


_MEANING: Final[Mapping[int, str]] = {
    401: "No valid key or session",
    403: "The key's scope does not allow this, or a change did not come from the console's own page",
    404: "No such thing; the sentence names it",
    406: "Not offered in a form that the client takes; the sentence names those that are",
    409: "Somebody else changed it first; `current` is the newer state",
    413: "The request's body is too large",
    416: "The file is shorter than that",
    422: "A value is not valid; `field`, `value` and `allowed` say which and what would do",
    500: "Something went wrong on our side; the cause is in the log",
    501: "The server lacks what it takes for this; the sentence says what",
    503: "The database does not answer in time; the header Retry-After says when to try again",
}
_NO_JSON: Final = FieldProblem(field="body", value=None, allowed="a body of valid JSON in UTF-8")


def _field(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location[1:]] or [str(part) for part in location]
    return ".".join(names)


def _allowed(error: Mapping[str, Any]) -> str:
    if (bound := bound_of(error)) is not None:
        return bound
    if error["type"] == "extra_forbidden":
        return "no such parameter; check its spelling"
    return str(error["msg"]).removeprefix("Value error, ")


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"

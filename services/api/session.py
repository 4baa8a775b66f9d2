"""Signing the console in and out. The key goes in once; afterwards an HttpOnly cookie stands for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, StringConstraints

from services.api.access import Principal, read, refuse_foreign_origin
from services.api.answers import Answer
from services.api.documents import Document
from services.api.errors import NotSignedIn
from services.api.parameters import Body
from services.api.problems import documented
from services.api.sessions import COOKIE, Session

router = APIRouter(tags=["session"])


class KeyBody(Body):
    """The key to sign in with."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="An API key; it begins with cg_."
    )


class SessionDocument(Document):
    """Who is signed in."""

    name: str = Field(description="The name written beside every change.")
    scopes: list[str] = Field(description="What they may do: read, operate, admin.")
    until: datetime | None = Field(description="When the session ends; null for a plain API key.")


@router.post(
    "/v1/session",
    summary="Sign the console in",
    responses={
        200: {"model": SessionDocument, "description": "Signed in; the answer sets the cookie"},
        **documented(401, 403, 413, 422, 503),
    },
)
def sign_in(body: KeyBody, request: Request) -> Answer:
    """Trade an API key for an HttpOnly cookie that lasts some hours. Programs send the key itself instead."""
    refuse_foreign_origin(request)
    doorkeeper = request.app.state.doorkeeper
    principal = doorkeeper.of_key(body.key)
    if principal is None:
        raise NotSignedIn("this API key is not valid; it may have been revoked")
    until_s = int(doorkeeper.clock() + request.app.state.settings.session_hours * 3600)
    answer = _about(principal, until_s)
    set_cookie(request, answer, Session(principal.key_id, until_s))
    return answer


@router.get(
    "/v1/session",
    summary="Who is signed in",
    responses={
        200: {"model": SessionDocument, "description": "Name and rights of the caller"},
        **documented(401, 403, 503),
    },
)
def who(request: Request, principal: Annotated[Principal, Depends(read)]) -> Answer:
    """Tell the name and the scopes of the key or session that the request carries."""
    doorkeeper = request.app.state.doorkeeper
    session = doorkeeper.sessions.read(request.cookies.get(COOKIE, ""), doorkeeper.clock())
    return _about(principal, session.until_s if session else None)


@router.delete(
    "/v1/session",
    status_code=204,
    response_class=Response,
    summary="Sign the console out",
    responses={204: {"description": "Signed out; the cookie is gone"}, **documented(403)},
)
def sign_out(request: Request) -> Response:
    """Remove the cookie. It succeeds for somebody who is not signed in, too."""
    refuse_foreign_origin(request)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def set_cookie(request: Request, answer: Response, session: Session) -> None:
    """Put the signed session into the answer's cookie."""
    state = request.app.state
    answer.set_cookie(
        COOKIE,
        state.doorkeeper.sessions.sign(session),
        max_age=int(state.settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=state.settings.secure_cookie or request.url.scheme == "https",
    )


def _about(principal: Principal, until_s: int | None) -> Answer:
    until = None if until_s is None else datetime.fromtimestamp(until_s, UTC)
    return Answer({"name": principal.name, "scopes": principal.scopes, "until": until})

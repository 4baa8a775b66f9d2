"""Feeds of CAP 1.2 messages for emergency services: an Atom index (RFC 4287) and each message as it was published.

They need a key unless the settings make them public. It refuses to write or change a message; notify publishes them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import Field
from starlette.exceptions import HTTPException

from services.api import access
from services.api.history.forms.answer import unchanged
from services.api.parameters import Cursor, Parameters
from services.api.problems import documented
from services.store.page import Page
from services.store.telling.cap_messages import CapMessage, get, in_force

ATOM: Final = "http://www.w3.org/2005/Atom"
ATOM_TYPE: Final = "application/atom+xml"
CAP_TYPE: Final = "application/cap+xml"
_NAMESPACE: Final = uuid.UUID("0c1f1d0e-55a8-5a57-9a3c-6f0c0f7b1a52")


def _reader(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(access.bearer)],
    header: Annotated[str | None, Depends(access.header)],
    cookie: Annotated[str | None, Depends(access.cookie)],
) -> None:
    if not request.app.state.settings.cap_public:
        access.read.check(request, bearer.credentials if bearer else header, cookie)


router = APIRouter(tags=["emergency services"], dependencies=[Depends(_reader)])
Feed = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="The feed: the name of a route of the channel cap.",
    ),
]
Identifier = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9-]{1,80}$", description="The message's identifier."),
]


class FeedParameters(Parameters):
    """Which page of a feed."""

    after: Cursor | None = Field(None, description="As the link `next` of the page before has it.")
    limit: int = Field(100, ge=1, le=1000, description="Most messages of a page.")


@router.get(
    "/v1/cap/{feed}",
    summary="A feed of CAP messages",
    response_class=Response,
    responses={
        200: {
            "description": "Atom; the messages in force, the newest first",
            "content": {ATOM_TYPE: {"schema": {"type": "string"}}},
        },
        304: {"description": "Nothing has changed since the ETag that was sent"},
        **documented(401, 403, 422, 503),
    },
)
def feed(request: Request, feed: Feed, chosen: Annotated[FeedParameters, Query()]) -> Response:
    """List the messages in force, the newest first; a feed that has published nothing is empty."""
    with request.app.state.database.connection() as connection:
        page = in_force(connection, feed, datetime.now(UTC), limit=chosen.limit, after=chosen.after)
    base = request.base_url
    if request.app.state.settings.secure_cookie:  # people come through a proxy that speaks TLS
        base = base.replace(scheme="https")
    address = f"{str(base).rstrip('/')}/v1/cap/{quote(feed)}"
    document = atom(address, feed, page, chosen.limit)
    etag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(document, media_type=ATOM_TYPE, headers=headers)


@router.get(
    "/v1/cap/{feed}/{identifier}",
    summary="A CAP message",
    response_class=Response,
    responses={
        200: {
            "description": "The message (OASIS CAP 1.2)",
            "content": {CAP_TYPE: {"schema": {"type": "string"}}},
        },
        **documented(401, 403, 404, 422, 503),
    },
)
def message(request: Request, feed: Feed, identifier: Identifier) -> Response:
    """Give one message as it was published, also after it has expired."""
    with request.app.state.database.connection() as connection:
        found = get(connection, feed, identifier)
    if found is None:
        raise HTTPException(404)
    return Response(found.document.encode(), media_type=CAP_TYPE)


def atom(address: str, feed: str, page: Page[CapMessage], limit: int) -> bytes:
    """The Atom document of one page; `address` is the feed's own."""
    root = ElementTree.Element("feed", xmlns=ATOM)

    def add(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
        ElementTree.SubElement(parent, name, attributes).text = text or None

    add(root, "id", f"urn:uuid:{uuid.uuid5(_NAMESPACE, feed)}")
    add(root, "title", f"Citygauge: {feed}")
    add(root, "updated", _moment(_newest(page.items)))
    author = ElementTree.SubElement(root, "author")
    add(author, "name", "Citygauge")
    add(root, "link", "", rel="self", type=ATOM_TYPE, href=address)
    if page.next is not None:
        following = urlencode({"after": page.next, "limit": limit})
        add(root, "link", "", rel="next", type=ATOM_TYPE, href=f"{address}?{following}")
    for each in page.items:
        entry = ElementTree.SubElement(root, "entry")
        add(entry, "id", f"urn:uuid:{uuid.uuid5(_NAMESPACE, each.identifier)}")
        add(entry, "title", each.headline)
        add(entry, "updated", _moment(each.sent))
        add(entry, "published", _moment(each.sent))
        writer = ElementTree.SubElement(entry, "author")
        add(writer, "name", each.sender)
        add(entry, "category", "", term=each.kind.value)
        add(entry, "link", "", rel="alternate", type=CAP_TYPE, href=f"{address}/{each.identifier}")
        add(entry, "summary", each.headline)
    body: str = ElementTree.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()


def _newest(messages: Sequence[CapMessage]) -> datetime:
    return max((each.sent for each in messages), default=datetime(1970, 1, 1, tzinfo=UTC))


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")

"""The console's files, read once at the start and served with their ETag; nothing outside the folder can be reached.

The words of a language are a file, too, made of its catalogue; `words/languages.js` names those that there are. It
refuses to render: the pages hold no data, they ask the API for it.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from services.api.encoding import encoded
from services.api.history.forms.answer import unchanged
from services.api.session import set_cookie
from services.api.sessions import Session
from services.domain.sentences.language import LANGUAGES

LANGUAGE_NAMES: Final = "words/languages.js"
_FOLDER: Final = Path(__file__).parent / "web"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class File:
    """One file: plain, compressed (gzip), its type and its ETag."""

    plain: bytes
    compressed: bytes
    media_type: str
    etag: str


def _file(plain: bytes, suffix: str) -> File:
    tag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
    return File(plain, gzip.compress(plain, 9, mtime=0), _TYPES[suffix], tag)


FILES: Final = {
    path.relative_to(_FOLDER).as_posix(): _file(path.read_bytes(), path.suffix)
    for path in sorted(_FOLDER.rglob("*"))
    if path.suffix in _TYPES
}


def find(name: str) -> File | None:
    """The file of that name; None where there is none."""
    if name == LANGUAGE_NAMES:
        return _module(encoded({tag: each.name for tag, each in LANGUAGES.items()}))
    tag = name.removeprefix("words/").removesuffix(".js")
    if name == f"words/{tag}.js" and tag in LANGUAGES:
        return _words(tag, LANGUAGES[tag].version)
    return FILES.get(name)


@lru_cache(64)
def _words(tag: str, _version: str) -> File:
    return _module(encoded(LANGUAGES[tag]))


def _module(value: bytes) -> File:
    return _file(b"export default %s;\n" % value, ".js")


def _answer(request: Request, name: str) -> Response:
    file = find(name)
    if file is None:
        raise HTTPException(404)
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if unchanged(request, file.etag):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, headers=headers, media_type=file.media_type)
    return Response(file.plain, headers=headers, media_type=file.media_type)


@router.get("/")
async def console(request: Request) -> Response:
    """The console; it asks for a session by itself."""
    return _answer(request, "index.html")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The OpenAPI document as a page."""
    return _answer(request, "docs.html")


@router.get("/login")
async def login(request: Request, token: Annotated[str | None, Query()] = None) -> Response:
    """The page to sign in; with the one-time token it signs in at once."""
    if token is None:
        return _answer(request, "login.html")
    doorkeeper = request.app.state.doorkeeper
    if not doorkeeper.sessions.take_token(token):
        return RedirectResponse("/login?used", 303)
    answer = RedirectResponse("/", 303)
    until_s = int(doorkeeper.clock() + request.app.state.settings.session_hours * 3600)
    set_cookie(request, answer, Session(None, until_s))
    return answer


@router.get("/assets/{name:path}")
async def asset(request: Request, name: str) -> Response:
    """A file of the console."""
    return _answer(request, name)


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """What browsers ask for unasked."""
    return _answer(request, "icon.svg")

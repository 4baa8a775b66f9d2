"""A table as an HTTP answer: whole and with an ETag, or streamed a block at a time; compressed as the client takes it.

It refuses to begin an answer that cannot be made: the first block is there before the status is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from services.api.history.forms.negotiation import (
    MEDIA_TYPES,
    STREAMED,
    SUFFIXES,
    Form,
    coding,
    compressed,
    compressed_whole,
)
from services.api.history.forms.table import Block, Table
from services.api.history.forms.text import TimeForm
from services.api.history.forms.writers import written

_VARY: Final = "Accept, Accept-Encoding"
_WORTH_COMPRESSING: Final = 512


def respond(
    request: Request, table: Table, form: Form, times: TimeForm, name: str, *, whole: bool = False
) -> Response:
    """The answer in the form.

    Args:
        name: of the file that a browser would save.
        whole: the table is one page, so a streamed form too is made at once and gets an ETag.
    """
    if form in STREAMED and not whole:
        return _streamed(request, table, form, times, name)
    body = b"".join(written(table, form, times))
    return whole_answer(request, body, form, _headers(table, form, name))


def whole_answer(
    request: Request, body: bytes, form: Form, headers: dict[str, str] | None = None
) -> Response:
    """A finished document: 304 where the client has it already, compressed where that is worth it."""
    headers = dict(headers or {})
    etag = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers |= {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": _VARY}
    if unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    chosen = coding(request.headers.get("accept-encoding"), form)
    if chosen is not None and len(body) >= _WORTH_COMPRESSING:
        body = compressed_whole(body, chosen)
        headers["Content-Encoding"] = chosen.value
    return Response(body, headers=headers, media_type=MEDIA_TYPES[form])


def unchanged(request: Request, etag: str) -> bool:
    """Whether the client names this ETag in If-None-Match; compared weakly (RFC 9110, 13.1.2)."""
    asked = request.headers.get("if-none-match")
    if asked is None:
        return False
    known = {each.strip().removeprefix("W/") for each in asked.split(",")}
    return "*" in known or etag.removeprefix("W/") in known


def _streamed(request: Request, table: Table, form: Form, times: TimeForm, name: str) -> Response:
    first = next(table.blocks, None)
    blocks: Iterator[Block] = iter(()) if first is None else chain([first], table.blocks)
    pieces = written(replace(table, blocks=blocks), form, times)
    headers = _headers(table, form, name) | {"Vary": _VARY}
    chosen = coding(request.headers.get("accept-encoding"), form)
    if chosen is not None:
        headers["Content-Encoding"] = chosen.value
    return StreamingResponse(
        compressed(pieces, chosen), headers=headers, media_type=MEDIA_TYPES[form]
    )


def _headers(table: Table, form: Form, name: str) -> dict[str, str]:
    headers = {}
    if form in STREAMED:
        headers["Content-Disposition"] = f'attachment; filename="{name}.{SUFFIXES[form]}"'
        headers["X-Has-More"] = "true" if table.next else "false"
        if table.next:
            headers["X-Next"] = table.next
    return headers

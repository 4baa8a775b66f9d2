"""Exports: ask for history as a file, see how far it is, fetch it in parts where need be, delete it.

It refuses to hold a request open for a long question: the answer is a job, and the file is fetched when it is done.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.api.access import Principal, read
from services.api.answers import Answer
from services.api.documents import Document, Page
from services.api.errors import ExportsFull, NotReady, RangeNotThere, ScopeMissing
from services.api.history.export_orders import ExportOrder, plan
from services.api.history.export_runner import path_of
from services.api.history.forms.answer import unchanged
from services.api.history.forms.negotiation import MEDIA_TYPES, SUFFIXES, Form
from services.api.parameters import Cursor, Parameters
from services.api.problems import documented
from services.domain.access import Scope, grants
from services.domain.errors import UnknownExport
from services.store.query.exports import ExportJob, ExportRepository, JobState

router = APIRouter(tags=["exports"])
Reader = Annotated[Principal, Depends(read)]

ExportId = Annotated[UUID, Path(description="The export's id.")]
_CHUNK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class ExportDocument(Document):
    """One export."""

    id: UUID = Field(description="Its id.")
    state: JobState = Field(
        description="waiting, running, done, failed, cancelled, or expired (its file was deleted)."
    )
    asked: ExportOrder = Field(description="What was asked for.")
    asked_by: str = Field(description="Whose key asked.")
    created_at: datetime = Field(description="When.")
    progress: float = Field(description="0 to 1.")
    rows: int = Field(description="Rows written so far.")
    bytes: int = Field(description="Bytes written so far; the file's size at the end.")
    sha256: str | None = Field(description="SHA-256 of the file, hexadecimal, when it is done.")
    problem: str | None = Field(description="Why it failed, and what to do.")
    finished_at: datetime | None = Field(description="When it ended.")
    expires_at: datetime | None = Field(description="When the file will be deleted.")
    file: str | None = Field(description="Where the file is, once it is done.")


class ExportPage(Page):
    """Exports, the newest first."""

    items: list[ExportDocument] = Field(description="The exports of this page.")


class PageParameters(Parameters):
    """Which page of exports."""

    after: Cursor | None = Field(None, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000, description="Most exports of a page.")


_FILES: Final[dict[int | str, dict[str, Any]]] = {
    **{
        status: {
            "description": text,
            "content": {
                MEDIA_TYPES[form]: {"schema": {"type": "string", "format": "binary"}}
                for form in (Form.PARQUET, Form.ARROW, Form.CSV, Form.NDJSON)
            },
        }
        for status, text in ((200, "The file"), (206, "The part of it that Range names"))
    },
    304: {"description": "The file is the one that If-None-Match names"},
    **documented(401, 403, 404, 409, 416, 422, 503),
}


@router.post(
    "/v1/exports",
    status_code=202,
    summary="Ask for history as a file",
    responses={
        202: {"model": ExportDocument, "description": "The job; its address is in Location"},
        **documented(401, 403, 404, 413, 422, 501, 503),
    },
)
def create(request: Request, order: ExportOrder, reader: Reader) -> Answer:
    """Write readings or buckets of any number of sensors and any range to a file, in the background.

    The order is checked at once. Ask for the job to see how far it is; fetch the file when it is done.
    """
    settings = request.app.state.settings
    with request.app.state.database.connection() as connection:
        plan(connection, order)
        asked = order.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        asked["format"] = order.format.value
        job = ExportRepository(connection).add(asked, reader.name, most=settings.export_jobs)
    if job is None:
        raise ExportsFull(settings.export_jobs)
    request.app.state.exports.hint()
    return Answer(document(job), 202, headers={"Location": f"/v1/exports/{job.id}"})


@router.get(
    "/v1/exports",
    summary="List exports",
    dependencies=[Depends(read)],
    responses={
        200: {"model": ExportPage, "description": "One page of exports"},
        **documented(401, 403, 422, 503),
    },
)
def exports(request: Request, chosen: Annotated[PageParameters, Query()]) -> Answer:
    """List exports, the newest first, by pages."""
    with request.app.state.database.connection() as connection:
        page = ExportRepository(connection).page(limit=chosen.limit, after=chosen.after)
    items = [document(job) for job in page.items]
    return Answer({"items": items, "next": page.next, "has_more": page.next is not None})


@router.get(
    "/v1/exports/{export_id}",
    summary="One export",
    dependencies=[Depends(read)],
    responses={
        200: {"model": ExportDocument, "description": "The export as it is now"},
        **documented(401, 403, 404, 422, 503),
    },
)
def export(request: Request, export_id: ExportId) -> Answer:
    """Say how far an export is."""
    with request.app.state.database.connection() as connection:
        return Answer(document(ExportRepository(connection).get(export_id)))


@router.delete(
    "/v1/exports/{export_id}",
    status_code=204,
    summary="Cancel an export, or delete its file",
    response_class=Response,
    responses={
        204: {"description": "It is cancelled, or its file is gone"},
        **documented(401, 403, 404, 422, 503),
    },
)
def delete(request: Request, export_id: ExportId, reader: Reader) -> Response:
    """Stop an export that is not done, or delete the file of one that is. Doing so twice is no error.

    What another key asked for needs the scope `operate`.
    """
    with request.app.state.database.connection() as connection:
        repository = ExportRepository(connection)
        asked_by = repository.get(export_id).asked_by
        if asked_by != reader.name and not grants(reader.scopes, Scope.OPERATE):
            raise ScopeMissing(Scope.OPERATE)
        repository.cancel(export_id)
        job = repository.get(export_id)
    if job.state is not JobState.DONE:
        path_of(request.app.state.settings, job).unlink(missing_ok=True)
    return Response(status_code=204)


@router.get(
    "/v1/exports/{export_id}/file",
    summary="The file of an export",
    dependencies=[Depends(read)],
    response_class=Response,
    responses=_FILES,
)
def file(
    request: Request,
    export_id: ExportId,
    range_: Annotated[
        str | None,
        Header(alias="Range", description="One part of the file: bytes=1000- or bytes=0-999."),
    ] = None,
) -> Response:
    """Give the finished file, or the part of it that is still missing; its ETag and Repr-Digest are its SHA-256."""
    settings = request.app.state.settings
    with request.app.state.database.connection() as connection:
        job = ExportRepository(connection).get(export_id)
    if job.state is JobState.EXPIRED:
        raise UnknownExport(str(export_id), "its file has expired; ask for it again")
    if job.state is not JobState.DONE or job.sha256 is None:
        raise NotReady(job.state, job.progress, job.problem)
    path = path_of(settings, job)
    if not path.is_file():
        raise UnknownExport(str(export_id), "its file is not on this server; ask for it again")
    form = Form(job.asked["format"])
    digest = base64.b64encode(bytes.fromhex(job.sha256)).decode()
    etag = f'"{job.sha256}"'
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{digest}:",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="citygauge-{job.id}.{SUFFIXES[form]}"',
    }
    if unchanged(request, etag):
        return Response(status_code=304, headers=headers)
    if request.headers.get("if-range", etag) != etag:
        range_ = None
    first, last = _part(range_, job.bytes)
    partial = (first, last) != (0, job.bytes - 1)
    headers["Content-Length"] = str(last - first + 1)
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{job.bytes}"
    return StreamingResponse(
        _bytes(path, first, last),
        status_code=206 if partial else 200,
        headers=headers,
        media_type=MEDIA_TYPES[form],
    )


def document(job: ExportJob) -> dict[str, object]:
    """The job as it is served."""
    names = [name for name in ExportDocument.model_fields if name != "file"]
    found: dict[str, object] = {name: getattr(job, name) for name in names}
    found["file"] = f"/v1/exports/{job.id}/file" if job.state is JobState.DONE else None
    return found


def _part(text: str | None, size: int) -> tuple[int, int]:
    """First and last byte of the part that a Range header names; all where there is none or it is not understood."""
    match = _RANGE.fullmatch(text or "")
    if match is None or match[0] == "bytes=-" or size == 0:
        return 0, size - 1
    begin, end = match.groups()
    if not begin:
        first, last = max(size - int(end), 0), size - 1
    else:
        first, last = int(begin), min(int(end), size - 1) if end else size - 1
    if first > last or first >= size:
        raise RangeNotThere(text or "", size)
    return first, last


def _bytes(path: FilePath, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as opened:
        opened.seek(first)
        left = last - first + 1
        while left > 0 and (piece := opened.read(min(_CHUNK_BYTES, left))):
            left -= len(piece)
            yield piece

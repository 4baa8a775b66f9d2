"""A file of history: asked for, waited for, fetched in parts where the line breaks, checked against its SHA-256."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from citygauge.client.errors import DownloadDamaged, ExportFailed
from citygauge.client.transport import Transport, checked, plain

_OPEN: Final = frozenset({"waiting", "running"})
_CHUNK: Final = 1 << 20


def export(
    transport: Transport,
    path: Path,
    order: Mapping[str, Any],
    *,
    poll_s: float,
    on_progress: Callable[[float], None],
    attempts: int,
) -> Path:
    """Write an order to `path`; see `Client.export`."""
    job = transport.send("POST", "/v1/exports", plain(order)).json()
    while job["state"] in _OPEN:
        on_progress(float(job["progress"]))
        time.sleep(poll_s)
        job = transport.get(f"/v1/exports/{job['id']}").json()
    if job["state"] != "done":
        raise ExportFailed(job)
    on_progress(1.0)
    partial = path.with_name(f"{path.name}.part")
    partial.unlink(missing_ok=True)
    for attempt in range(attempts):
        try:
            _fetch(transport, job, partial)
            break
        except httpx.TransportError:
            if attempt == attempts - 1:
                raise
    found = _sha256(partial)
    if found != job["sha256"]:
        partial.unlink()
        raise DownloadDamaged(job["sha256"], found)
    partial.replace(path)
    return path


def _fetch(transport: Transport, job: Mapping[str, Any], partial: Path) -> None:
    """Fetch what is missing of the file."""
    there = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if there:
        headers |= {"Range": f"bytes={there}-", "If-Range": f'"{job["sha256"]}"'}
    if there >= job["bytes"] > 0:
        return
    with transport.http.stream("GET", job["file"], headers=headers) as answer:
        if not answer.is_success:
            answer.read()
        checked(answer)
        with partial.open(
            "ab" if answer.status_code == httpx.codes.PARTIAL_CONTENT else "wb"
        ) as file:
            for piece in answer.iter_bytes(_CHUNK):
                file.write(piece)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

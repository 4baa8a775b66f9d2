"""How far the spool has been written into the database, on disk: replaced whole, never half.

It refuses to fail on a damaged file: then everything in the spool counts as possibly written before.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """A place in the log: `record` is the number of the record that begins there."""

    segment: int
    offset: int
    record: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to `done` everything is committed; what lies between `done` and `trying` may be committed."""

    done: Place
    trying: Place


def load(file: Path) -> Progress | None:
    """The progress on disk; None where there is none, or where the file is damaged."""
    try:
        found = json.loads(file.read_bytes())
        done, trying = (Place(*map(int, found[name])) for name in ("done", "trying"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Progress(done, trying)


def save(file: Path, progress: Progress, *, durable: bool) -> None:
    """Replaces the file. Raises OSError where the disk refuses; the old file is then still whole."""
    fresh = file.with_suffix(".new")
    out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write(out, json.dumps({"done": progress.done, "trying": progress.trying}).encode(), 0)
        if durable:
            os.fsync(out)
    finally:
        os.close(out)
    fresh.replace(file)
    if durable:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Makes the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(out: int, data: bytes, at: int) -> None:
    """All of it, at an offset: what a failed write left there is written over."""
    view = memoryview(data)
    while view:
        written = os.pwrite(out, view, at)
        view, at = view[written:], at + written

"""Writes an export to a file, whole or not at all: beside it first, synced, then renamed; its SHA-256 on the way.

It refuses to fill the disk: what is written is counted against the room that there is.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.api.history.export_orders import Plan
from services.api.history.forms.table import Block, length
from services.api.history.forms.writers import written
from services.domain.errors import CitygaugeError
from services.store.connection import Connection
from services.store.query.exports import Written

_NEARLY: Final = 0.999


class NoRoom(CitygaugeError):
    """The exports together would take more of the disk than they may."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        super().__init__(
            f"exports may take {most_bytes:,} bytes together, and this one does not fit any more: delete older ones, "
            "wait until they expire, or ask for less"
        )


def write(
    plan: Plan,
    connections: Sequence[Connection],
    path: Path,
    *,
    room_bytes: int | None = None,
    on_progress: Callable[[Written], None] = lambda progress: None,
) -> tuple[Written, str]:
    """Write the plan's rows to `path`.

    Args:
        connections: that read meanwhile, as `Plan.table` takes them.
        room_bytes: most bytes of the file; None: as many as the disk holds.
        on_progress: hears of every piece, and of the end (progress 1) before the file gets its name; what it raises
            ends the writing.

    Returns:
        What was written, and its SHA-256 in hexadecimal.

    Raises:
        NoRoom: the file would be larger than its room.
        OSError: the disk refused; nothing is left behind.
    """
    share = 0.0
    rows = size = 0

    def came(new: float) -> None:
        nonlocal share
        share = new

    def counted(blocks: Iterator[Block]) -> Iterator[Block]:
        nonlocal rows
        for block in blocks:
            rows += length(block)
            yield block
            on_progress(Written(min(share, _NEARLY), rows, size))

    source = plan.table(connections, came)
    table = replace(source, blocks=counted(source.blocks))
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    digest = hashlib.sha256()
    try:
        with partial.open("wb") as file:
            for piece in written(table, plan.order.format, plan.order.times):
                size += len(piece)
                if room_bytes is not None and size > room_bytes:
                    raise NoRoom(room_bytes)
                file.write(piece)
                digest.update(piece)
            file.flush()
            os.fsync(file.fileno())
        on_progress(Written(1.0, rows, size))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:  # before the caller closes the connections that are still read from
        if isinstance(source.blocks, Generator):
            source.blocks.close()
    return Written(1.0, rows, size), digest.hexdigest()

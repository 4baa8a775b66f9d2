"""Makes the next block while the one before is written: the database and the writer work at the same time.

It refuses to run further ahead than one block.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

from services.api.history.forms.table import Block


def ahead(blocks: Generator[Block]) -> Generator[Block]:
    """The same blocks; `blocks` runs in a thread, and is closed when this is."""
    with ThreadPoolExecutor(1, thread_name_prefix="export-ahead") as thread:
        try:
            following = thread.submit(next, blocks, None)
            while (block := following.result()) is not None:
                following = thread.submit(next, blocks, None)
                yield block
        finally:
            thread.submit(blocks.close).result()

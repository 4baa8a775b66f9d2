"""Tables on the terminal of which no cell is cut short: who copies an id or a topic has all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def listing(*heads: str, whole: str = "") -> Table:
    """An empty table without borders; where it is narrow, cells go on below, but for those of the column `whole`."""
    from rich.table import Column, Table

    columns = [Column(head, overflow="fold", no_wrap=head == whole) for head in heads]
    return Table(*columns, box=None)

"""Tables on the terminal of which no cell is cut short: who copies an id or a topic has all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

_ENDLESS: Final = 100_000
"""Columns of a pipe."""


def listing(*heads: str, whole: str = "") -> Table:
    """An empty table without borders; where it is narrow, cells go on below, but for those of the column `whole`."""
    from rich.table import Column, Table

    columns = [Column(head, overflow="fold", no_wrap=head == whole) for head in heads]
    return Table(*columns, box=None)


def print_listing(table: Table) -> None:
    """Print it; one row a line where no terminal is at the other end."""
    from rich.console import Console

    width = None if Console().is_terminal else _ENDLESS
    Console(width=width, highlight=False, markup=False).print(table)

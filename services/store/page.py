"""Pages of a list: items and an opaque cursor to the next page; keyset, so that a page costs the same anywhere.

It refuses cursors that it did not make, and limits outside what a page may hold.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.domain.errors import InvalidInput

T = TypeVar("T")
LARGEST_PAGE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes:
        items: in the list's order.
        next: pass it as `after` for the page that follows; None when this is the last one.
    """

    items: Sequence[T]
    next: str | None


def page_of(rows: Sequence[T], limit: int, key: Callable[[T], Sequence[str | int]]) -> Page[T]:
    """The page of `rows`, of which one more than `limit` was asked for; `key` names a row's place in the order."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], encode_cursor(key(rows[limit - 1])))


def encode_cursor(key: Sequence[str | int]) -> str:
    """URL-safe text of a place in an order."""
    return base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[str] | type[int]) -> tuple[str | int, ...]:
    """The place that `encode_cursor` wrote, of these kinds.

    Raises:
        InvalidInput: it was made elsewhere or for another list.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        key = None
    if (
        not isinstance(key, list)
        or len(key) != len(kinds)
        or any(type(part) is not kind for part, kind in zip(key, kinds, strict=True))
        or any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in key)
        or any(isinstance(part, str) and "\x00" in part for part in key)
    ):
        raise InvalidInput("after", cursor, "the 'next' of the page before, as it was returned")
    return tuple(key)


def check_limit(limit: int, largest: int = LARGEST_PAGE) -> int:
    """The limit, when a page may hold so many.

    Raises:
        InvalidInput: below 1 or above `largest`.
    """
    if not 1 <= limit <= largest:
        raise InvalidInput("limit", limit, f"a number from 1 to {largest}")
    return limit

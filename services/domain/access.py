"""What a key or a signed-in person may do. It refuses to know how keys are kept or checked."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """A right; each includes the ones before it."""

    READ = "read"
    """See sensors, readings, alerts and the accounting."""
    OPERATE = "operate"
    """Also acknowledge, shelve, comment and resolve alerts."""
    ADMIN = "admin"
    """Also manage keys and settings."""

    @property
    def rank(self) -> int:
        """0 for read, 1 for operate, 2 for admin."""
        return list(Scope).index(self)


def grants(held: Iterable[str], needed: Scope) -> bool:
    """Whether one of the held scopes is, or includes, the needed one; words that are no scope grant nothing."""
    known = {scope.value: scope.rank for scope in Scope}
    return any(known.get(word, -1) >= needed.rank for word in held)

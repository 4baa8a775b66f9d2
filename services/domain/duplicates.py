"""What a second, different value for the same sensor, time and metric does."""

from __future__ import annotations

from enum import StrEnum


class DuplicatePolicy(StrEnum):
    """FIRST: nothing, the stored one stays. LAST: it takes the stored one's place. BOTH: and that one is kept."""

    FIRST = "first"
    LAST = "last"
    BOTH = "both"

"""The quality flag of a reading: a set of facts about it, kept beside the value and never instead of it."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """Bits of `quality`; 0 is a good reading. The order of bits is stored: append, never renumber."""

    GOOD = 0
    LATE = 1
    """It arrived later than the setting allows after it was observed, or after a newer reading of its sensor."""
    IMPLAUSIBLE = 2
    """At least one value lies outside its metric's plausible range."""
    ESTIMATED = 4
    """The device or its network says that the value is imputed, not measured."""
    SUSPECT_CLOCK = 8
    """The device's time ran ahead of ours, by less than the limit of rejection."""

    REVISED = 16
    """A later message replaced a value of it; see the setting ingest.duplicate_policy."""

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the facts that are set, lower case; empty for a good reading."""
        return tuple(flag.name.lower() for flag in Quality if flag and flag in self and flag.name)

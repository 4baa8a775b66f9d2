"""Messages as they came from the broker, as parallel lists, and where each topic leads.

It refuses to look into payloads: the decoders do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.domain.catalogue import Domain


@dataclass(slots=True)
class Messages:
    """A run of messages in the order of their arrival, n of them.

    Attributes:
        topics: MQTT topics as bytes.
        payloads: bodies, cut to the limit for keeping where they were too large.
        received_us: when each was taken from the connection, microseconds since 1970.
        redelivered: positions of those that the broker marks as delivered before (the DUP flag).
        cut: position -> full size in bytes, for bodies above the size limit.
    """

    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    received_us: list[int] = field(default_factory=list)
    redelivered: set[int] = field(default_factory=set)
    cut: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.topics)

    def take(self, start: int, stop: int) -> Messages:
        """Messages start to stop - 1, positions counted anew."""
        return Messages(
            self.topics[start:stop],
            self.payloads[start:stop],
            self.received_us[start:stop],
            {position - start for position in self.redelivered if start <= position < stop},
            {place - start: size for place, size in self.cut.items() if start <= place < stop},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where a topic leads.

    Attributes:
        topic: the topic as text; bytes that are not UTF-8 show as the replacement character.
        format: key of the decoder that takes it; None for a topic that no decoder takes.
        domain: what the topic says of the domain, if it does.
        sensor_id: what the topic says of the sensor, if it does.
        problem: why no decoder takes it; empty otherwise.
    """

    topic: str
    format: str | None = None
    domain: Domain | None = None
    sensor_id: str | None = None
    problem: str = ""


class RouteTable(dict[bytes, Route]):
    """Topic bytes -> route, found once for each topic and then remembered, up to `limit` topics."""

    def __init__(self, find: Callable[[str], Route], limit: int = 500_000) -> None:
        super().__init__()
        self._find, self._limit = find, limit

    def __missing__(self, topic: bytes) -> Route:
        if len(self) >= self._limit:
            self.clear()
        route = self[topic] = self._find(topic.decode("utf-8", "replace"))
        return route


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT topic filter (with + and #, without $share) selects a topic."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(levels) == len(wanted)


def first_match(filters: Mapping[str, str], topic: str) -> str | None:
    """The value of the first filter that selects the topic, in the mapping's order."""
    return next((value for key, value in filters.items() if matches(key, topic)), None)

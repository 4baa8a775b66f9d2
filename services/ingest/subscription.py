"""What the connection to the broker is made of: subscription, and the pauses between tries. No paho here."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

USUAL_GROUP: Final = "citygauge"
"""Name of the share group where several workers divide the messages, unless they choose another."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the link asks of the broker: see IngestSettings for the words and units."""

    client_id: str
    filters: tuple[str, ...]
    qos: int
    keep_alive_s: int
    session_expiry_s: int
    receive_maximum: int
    reconnect_min_s: float
    reconnect_max_s: float
    fast: bool


def share_name(filters: tuple[str, ...]) -> str:
    """The subscription as one word: workers for which it is the same divide its messages."""
    return " ".join(sorted(filters))


def other_forms(filters: tuple[str, ...]) -> list[str]:
    """Under which the same worker may have subscribed before its share group was set or taken away.

    They may still be in its session at the broker, which would deliver each message twice. Of share groups the usual
    name is known; a group of another name ends with `citygauge workers forget`.
    """
    return [
        each.split("/", 2)[2] if each.startswith("$share/") else f"$share/{USUAL_GROUP}/{each}"
        for each in filters
    ]


class Backoff:
    """Pauses that double up to a limit, with jitter so that many clients do not return at once."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first, self._longest, self._tries = first_s, longest_s, 0

    def next_s(self) -> float:
        """The next pause, seconds."""
        pause = min(self._longest, self._first * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """The next pause is the first again."""
        self._tries = 0


def client_id_of(worker: str) -> str:
    """The MQTT client id of a worker: its session at the broker."""
    return f"citygauge-ingest-{worker}"


def shared(group: str, filters: Mapping[str, object]) -> tuple[str, ...]:
    """The filters as subscriptions of a share group; as they are for an empty group."""
    return tuple(f"$share/{group}/{each}" if group else each for each in filters)

"""What has been taken from the broker and is not committed yet: bounded by the receiver, in order of arrival.

It refuses to acknowledge: it only remembers which packet id each message must be acknowledged by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from services.ingest.messages import Messages

NO_ID = 0
"""Packet id of a message that needs no acknowledgement: QoS 0, or its connection is gone."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages on their way into the database.

    Attributes:
        messages: n messages.
        ids: their n packet ids, valid in the connection `epoch`.
        payload_bytes: sum of the payloads' sizes.
    """

    messages: Messages
    ids: list[int]
    epoch: int
    payload_bytes: int


class Inbox:
    """Parallel lists that the receiver extends and the pipeline takes from the front.

    Args:
        max_payload_bytes: a longer payload is cut to `keep_payload_bytes` at once, and its size noted.
        now_us: the clock, microseconds since 1970.
    """

    def __init__(
        self, max_payload_bytes: int, keep_payload_bytes: int, now_us: Callable[[], int]
    ) -> None:
        self.max_payload_bytes, self._keep = max_payload_bytes, keep_payload_bytes
        self.now_us = now_us
        self.epoch = 0
        self.waiting = Messages()
        self.ids: list[int] = []
        self.payload_bytes = 0

    def __len__(self) -> int:
        return len(self.ids)

    def reached(self, messages: int, payload_bytes: int) -> bool:
        """Whether it holds so many messages or so many bytes of payload."""
        return len(self.ids) >= messages or self.payload_bytes >= payload_bytes

    def add(self, topic: bytes, payload: bytes, packet_id: int, *, again: bool) -> None:
        """Takes one message; `again`: the broker says that it has delivered it before."""
        place = len(self.ids)
        if len(payload) > self.max_payload_bytes:
            self.waiting.cut[place] = len(payload)
            payload = payload[: self._keep]
        if again:
            self.waiting.redelivered.add(place)
        self.waiting.topics.append(topic)
        self.waiting.payloads.append(payload)
        self.waiting.received_us.append(self.now_us())
        self.ids.append(packet_id)
        self.payload_bytes += len(payload)

    def extend(self, topics: list[bytes], payloads: list[bytes], ids: list[int]) -> None:
        """Takes many messages at once, none of them too large and none delivered before."""
        self.waiting.topics += topics
        self.waiting.payloads += payloads
        self.waiting.received_us += [self.now_us()] * len(topics)
        self.ids += ids
        self.payload_bytes += sum(map(len, payloads))

    def connection_lost(self) -> None:
        """The packet ids are void; the messages are kept, because the broker may have forgotten them."""
        self.epoch += 1
        self.ids = [NO_ID] * len(self.ids)

    def take(self, most: int, most_bytes: int) -> Taken:
        """Removes messages from the front: at most `most` of them and `most_bytes` of payload, but at least one."""
        count = min(most, len(self.ids))
        if self.payload_bytes > most_bytes:
            for place, total in enumerate(accumulate(map(len, self.waiting.payloads[:count]))):
                if total > most_bytes:
                    count = max(1, place)
                    break
        everything, ids = self.waiting, self.ids
        if count == len(ids):
            messages, self.waiting = everything, Messages()
            chosen, self.ids = ids, []
        else:
            messages, self.waiting = everything.take(0, count), everything.take(count, len(ids))
            chosen, self.ids = ids[:count], ids[count:]
        size = sum(map(len, messages.payloads))
        self.payload_bytes -= size
        return Taken(messages, chosen, self.epoch, size)

"""What every decoder is: a topic in, a route out; a run of messages in, readings and refusals out, never an exception.

It refuses to know any format. A format of single messages derives from `MessageDecoder` and writes one method.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from services.domain.catalogue import Domain
from services.domain.rejection import RejectReason
from services.domain.sentences.rejected import of_fault
from services.ingest.blocks import Decoded, Measurement, Refusal, block_of
from services.ingest.decoders.json_document import Refused
from services.ingest.decoders.native_rules import UnitOf
from services.ingest.messages import Route

log = logging.getLogger("citygauge.ingest")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """Messages of one format, in order of arrival.

    Attributes:
        positions: their places in the run of messages; routes and payloads: the same length.
        unit_of: the registered unit of a sensor, for payloads without units.
    """

    positions: Sequence[int]
    routes: Sequence[Route]
    payloads: Sequence[bytes]
    unit_of: UnitOf


class Decoder(ABC):
    """One payload format."""

    @abstractmethod
    def route(self, topic: str) -> Route:
        """Where a topic that is configured for this format leads."""

    @abstractmethod
    def decode(self, group: Group) -> Decoded:
        """Every message of the group as readings or refusals; whatever the bytes, it does not raise."""

    def bodies(self, payload: bytes, elements: Sequence[int]) -> list[bytes]:
        """Elements of a message that decoded, each as a message that decodes by itself on the same topic."""
        return [payload] * len(elements)


class MessageDecoder(Decoder):
    """A format whose messages are read one by one."""

    @abstractmethod
    def measure(self, route: Route, payload: bytes, unit_of: UnitOf) -> Sequence[Measurement]:
        """The readings of one message; raises Refused when there is anything wrong with it."""

    def decode(self, group: Group) -> Decoded:
        """Each message by `measure`; see Decoder."""
        decoded = Decoded()
        rows: dict[Domain, list[tuple[int, Measurement]]] = {}
        for position, route, payload in zip(
            group.positions, group.routes, group.payloads, strict=True
        ):
            measured = guarded(
                position, decoded, partial(self.measure, route, payload, group.unit_of)
            )
            for measurement in measured or ():
                rows.setdefault(measurement.domain, []).append((position, measurement))
        decoded.blocks += [block_of(domain, found) for domain, found in rows.items()]
        return decoded


def guarded(position: int, decoded: Decoded, read: Callable[[], T]) -> T | None:
    """`read()`, or None with the refusal noted; a fault of the decoder becomes DECODER_ERROR and a log line."""
    try:
        return read()
    except Refused as refused:
        decoded.refusals.append(
            Refusal(position, refused.reason, refused.detail, refused.sensor_id)
        )
    except Exception as error:
        log.exception("decoder fault: message kept and rejected")
        decoded.refusals.append(Refusal(position, RejectReason.DECODER_ERROR, of_fault(error)))
    return None


def decode_guarded(decoder: Decoder, group: Group) -> Decoded:
    """`decoder.decode(group)`; after a fault message by message, so that only those are lost to it that cause it."""
    try:
        return decoder.decode(group)
    except Exception:
        log.exception("decoder fault: decoding the batch message by message")
    decoded = Decoded()
    for position, route, payload in zip(group.positions, group.routes, group.payloads, strict=True):
        alone = Group([position], [route], [payload], group.unit_of)
        found = guarded(position, decoded, partial(decoder.decode, alone))
        if found is not None:
            decoded.blocks += found.blocks
            decoded.refusals += found.refusals
    return decoded

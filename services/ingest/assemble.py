"""From messages to what one transaction writes: batches by domain, rejections, counts. Pure: no clock, no database.

The caller answers the two questions that need the database in between: who are these sensors, and how new is their
newest reading. It refuses to drop anything: each reading ends in a batch or in a rejection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.duplicates import DuplicatePolicy
from services.domain.instant import isoformat
from services.domain.quality import Quality
from services.domain.rejection import Rejection, RejectReason
from services.domain.sentences.rejected import detail
from services.ingest.blocks import Block, Decoded, Refusal, joined
from services.ingest.decoders import DECODERS
from services.ingest.decoders.base import Group, decode_guarded
from services.ingest.formats import Format
from services.ingest.messages import Messages, Route, RouteTable, first_match
from services.ingest.prepared import Kept, Prepared, Rows
from services.ingest.sensor_table import UNKNOWN, SensorTable
from services.ingest.validate import REASONS, Limits, behind, quality_of, verdicts


class Assembler:
    """Turns runs of messages into what is written, with decoders and routes made once.

    Args:
        topics: topic filter -> format.
        limits: the clock's limits.
        max_payload_bytes: for the sentence of a rejection; the receiver has cut such messages.
        keep_payload_bytes: how much of a rejected body is kept.
        duplicates: what a second value for a reading does, for whoever writes.
    """

    def __init__(
        self,
        topics: Mapping[str, Format],
        limits: Limits,
        *,
        max_payload_bytes: int,
        keep_payload_bytes: int,
        duplicates: DuplicatePolicy = DuplicatePolicy.FIRST,
    ) -> None:
        self.duplicates = duplicates
        self._limits, self._max, self._keep = limits, max_payload_bytes, keep_payload_bytes
        self._decoders = {name: DECODERS[name]() for name in dict.fromkeys(topics.values())}

        def find(topic: str) -> Route:
            name = first_match(dict(topics), topic)
            if name is None:
                return Route(topic, problem=detail(RejectReason.UNKNOWN_TOPIC, "filter"))
            return self._decoders[Format(name)].route(topic)

        self._routes = RouteTable(find)

    def decode(self, messages: Messages, sensors: SensorTable, prepared: Prepared) -> list[Block]:
        """Blocks by domain, at most one each, rows in order of arrival; refusals go into `prepared`."""
        routes = list(map(self._routes.__getitem__, messages.topics))
        formats = [route.format for route in routes]
        decoded = Decoded()
        for place, size in messages.cut.items():
            formats[place] = None
            reason = RejectReason.TOO_LARGE
            says = detail(reason, "bytes", size=size, most=self._max)
            decoded.refusals.append(Refusal(place, reason, says, routes[place].sensor_id))
        for name in dict.fromkeys(formats):
            if name is None:
                continue
            if formats.count(name) == len(formats):
                group = Group(range(len(routes)), routes, messages.payloads, sensors.unit_of)
            else:
                chosen = [place for place, each in enumerate(formats) if each == name]
                group = Group(
                    chosen,
                    [routes[place] for place in chosen],
                    [messages.payloads[place] for place in chosen],
                    sensors.unit_of,
                )
            found = decode_guarded(self._decoders[Format(name)], group)
            decoded.blocks += found.blocks
            decoded.refusals += found.refusals
        for place, route in enumerate(routes) if None in formats else ():
            if route.format is None and place not in messages.cut:
                decoded.refusals.append(
                    Refusal(place, RejectReason.UNKNOWN_TOPIC, route.problem, route.sensor_id)
                )
        prepared.refused.update(refusal.message for refusal in decoded.refusals)
        prepared.kept += [self.kept(messages, refusal) for refusal in decoded.refusals]
        return [
            joined([block for block in decoded.blocks if block.domain is domain])
            for domain in Domain
            if any(block.domain is domain for block in decoded.blocks)
        ]

    def judge(self, blocks: Sequence[Block], sensors: SensorTable, prepared: Prepared) -> None:
        """Validates each block into rows and rejections of `prepared`; the sensors must be primed."""
        messages = prepared.messages
        all_received = np.array(messages.received_us, dtype=np.int64)
        of_message = np.zeros(len(messages), dtype=np.int64)
        for block in blocks:
            of_message += np.bincount(block.message, minlength=len(messages))
        for block in blocks:
            numbers = sensors.numbers(block.sensor_id)
            received_us = all_received[block.message]
            known = numbers != UNKNOWN
            verdict = verdicts(
                known,
                sensors.in_domain(numbers, block.domain),
                block.observed_us,
                received_us,
                self._limits,
            )
            good = verdict == 0
            if not good.all():
                self._reject_rows(prepared, block, verdict, received_us, of_message)
                block, numbers = block.take(good), numbers[good]  # noqa: PLW2901
                received_us = received_us[good]
            if len(block):
                prepared.rows.append(self._rows(block, numbers, received_us, sensors))

    def _rows(
        self,
        block: Block,
        numbers: NDArray[np.int64],
        received_us: NDArray[np.int64],
        sensors: SensorTable,
    ) -> Rows:
        quality = quality_of(
            block.domain,
            block.metrics,
            block.estimated,
            observed_us=block.observed_us,
            received_us=received_us,
            limits=self._limits,
        )
        late = behind(numbers, block.observed_us, sensors.newest(numbers))
        quality[late] |= Quality.LATE
        # A clock that runs ahead must not make the sensor's next, right reading late.
        sensors.advance(
            numbers, np.minimum(block.observed_us, received_us + self._limits.suspect_us)
        )
        batch = ReadingBatch(
            block.domain,
            numbers.astype(np.int32),
            block.observed_us,
            received_us,
            quality,
            block.metrics,
        )
        return Rows(batch, block.message, block.element)

    def bodies(self, messages: Messages, position: int, elements: list[int]) -> list[bytes]:
        """Parts of a message that decoded, each as a message of its own."""
        name = self._routes[messages.topics[position]].format
        assert name is not None, "a message with rows has a decoder"
        return self._decoders[Format(name)].bodies(messages.payloads[position], elements)

    def topic(self, messages: Messages, position: int) -> str:
        """The topic of a message as text."""
        return self._routes[messages.topics[position]].topic

    def _reject_rows(
        self,
        prepared: Prepared,
        block: Block,
        verdict: NDArray[np.int8],
        received_us: NDArray[np.int64],
        of_message: NDArray[np.int64],
    ) -> None:
        """Keeps a message whole when all of it is rejected alike, and in parts otherwise."""
        rows_of: dict[int, list[int]] = {}
        for row in np.flatnonzero(verdict).tolist():
            rows_of.setdefault(int(block.message[row]), []).append(row)
        for position, rows in rows_of.items():
            kinds = {(int(verdict[row]), block.sensor_id[row]) for row in rows}
            whole = (
                len(kinds) == 1
                and len(rows) == of_message[position]
                and position not in prepared.refused
            )
            parts = [rows] if whole else [[row] for row in rows]
            bodies: list[bytes | None]
            if whole:
                bodies = [None]
            else:
                elements = [int(block.element[row]) for row in rows]
                bodies = [*self.bodies(prepared.messages, position, elements)]
            for part, body in zip(parts, bodies, strict=True):
                first = part[0]
                reason = REASONS[int(verdict[first]) - 1]
                detail = _detail(reason, block, first, int(received_us[first]), self._limits)
                refusal = Refusal(position, reason, detail, block.sensor_id[first], body)
                prepared.kept.append(self.kept(prepared.messages, refusal, len(part), block.domain))

    def kept(
        self,
        messages: Messages,
        refusal: Refusal,
        readings: int = 1,
        domain: Domain | None = None,
    ) -> Kept:
        """The record of a rejected message or of a part of one."""
        position = refusal.message
        payload, size = messages.payloads[position], messages.cut.get(position)
        if refusal.body is not None:
            payload, size = refusal.body, None
        full = len(payload) if size is None else size
        payload = payload[: self._keep]
        rejection = Rejection(
            refusal.reason,
            refusal.detail,
            self.topic(messages, position),
            payload,
            refusal.sensor_id,
            readings,
            full if full > len(payload) else None,
        )
        again = position in messages.redelivered
        return Kept(rejection, messages.received_us[position], again, domain)


def _detail(reason: RejectReason, block: Block, row: int, received_us: int, limits: Limits) -> str:
    sensor_id, observed_us = block.sensor_id[row], int(block.observed_us[row])
    if reason is RejectReason.UNKNOWN_SENSOR:
        return detail(reason, "sensor", sensor=sensor_id)
    if reason is RejectReason.WRONG_DOMAIN:
        return detail(reason, "sensor", sensor=sensor_id, domain=block.domain)
    try:
        when = isoformat(observed_us)
    except OverflowError:
        when = f"{observed_us} us since 1970"
    if reason is RejectReason.TIME_TOO_OLD:
        return detail(reason, "time", time=when)
    ahead = (observed_us - received_us) // 1_000_000
    most = limits.future_us // 1_000_000
    return detail(reason, "ahead", time=when, ahead=ahead, most=most)

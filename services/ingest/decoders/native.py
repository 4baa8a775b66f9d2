"""The native payload, fast: whole runs of messages through compiled structs into columns.

It refuses to judge what is unusual: a message with anything out of the ordinary is read again, whole, by
`native_rules.py`, whose answer stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.rejection import RejectReason
from services.domain.sensor import check_sensor_id
from services.domain.sentences.rejected import detail
from services.ingest.blocks import WHOLE, Block, Decoded, Measurement, Refusal, block_of
from services.ingest.bulk_time import INVALID, parse_times
from services.ingest.decoders.base import Decoder, Group, guarded
from services.ingest.decoders.native_forms import Forms, forms_of
from services.ingest.decoders.native_rules import bodies, read_message
from services.ingest.messages import Route

_LAST: Final = "reading"
_TOPIC: Final = RejectReason.UNKNOWN_TOPIC
_UNITS: Final = attrgetter("units")


class NativeDecoder(Decoder):
    """JSON of one reading, of an array of readings, or of columns, on .../<domain>/<sensor_id>/reading."""

    def __init__(self) -> None:
        self._forms = {domain: forms_of(domain) for domain in Domain}

    def route(self, topic: str) -> Route:
        """Domain and sensor from the topic's last three levels; a route with a problem if they say neither."""
        levels = topic.split("/")
        if len(levels) < 3 or levels[-1] != _LAST:
            return Route(topic, problem=detail(_TOPIC, "end", form=f"<domain>/<sensor_id>/{_LAST}"))
        domain_word, sensor_id = levels[-3], levels[-2]
        try:
            domain = Domain(domain_word)
        except ValueError:
            return Route(topic, problem=detail(_TOPIC, "domain", known=", ".join(Domain)))
        try:
            check_sensor_id(sensor_id)
        except InvalidInput as error:
            return Route(topic, problem=detail(_TOPIC, "id", rule=error.allowed))
        return Route(topic, "native", domain, sensor_id)

    def bodies(self, payload: bytes, elements: Sequence[int]) -> list[bytes]:
        """See Decoder: an array's elements, or rows of columns as single readings."""
        return bodies(payload, elements)

    def decode(self, group: Group) -> Decoded:
        """See Decoder."""
        decoded = Decoded()
        domains = [route.domain for route in group.routes]
        for domain in dict.fromkeys(domains):
            assert domain is not None
            if domains.count(domain) == len(domains):
                of_domain = group
            else:
                chosen = [place for place, each in enumerate(domains) if each is domain]
                of_domain = Group(
                    [group.positions[place] for place in chosen],
                    [group.routes[place] for place in chosen],
                    [group.payloads[place] for place in chosen],
                    group.unit_of,
                )
            _Run(domain, self._forms[domain], of_domain, decoded).read()
        return decoded


class _Run:
    """The decoding of one group of one domain."""

    def __init__(self, domain: Domain, forms: Forms, group: Group, decoded: Decoded) -> None:
        self._domain, self._forms, self._group, self._decoded = domain, forms, group, decoded
        self._unusual: set[int] = set()
        """Places in the group of the messages that `native_rules` must read."""

    def read(self) -> None:
        self._forms.units.reset()
        blocks = [*self._readings(), *self._columns()]
        if self._unusual:
            bad = np.zeros(len(self._group.payloads), dtype=np.bool_)
            bad[list(self._unusual)] = True
            blocks = [block.take(~bad[block.message]) for block in blocks]
            blocks += self._by_the_rules()
        positions = np.asarray(self._group.positions, dtype=np.int64)
        for block in blocks:
            if len(block):
                block.message = positions[block.message]
                self._decoded.blocks.append(block)

    def _readings(self) -> list[Block]:
        """The block of the messages that are one reading or an array of them; notes all others."""
        decode, one = self._forms.decode_body, self._forms.one
        payloads = self._group.payloads
        try:
            found = list(map(decode, payloads))
        except Exception:
            found = [_decode_or_none(decode, payload) for payload in payloads]
        self._others: list[int] = []
        if set(map(type, found)) == {one}:
            n = len(found)
            return self._block_of_ones(found, np.arange(n), np.full(n, WHOLE))
        ones: list[Any] = []
        message: list[int] = []
        element: list[int] = []
        for place, value in enumerate(found):
            if type(value) is one:
                ones.append(value)
                message.append(place)
                element.append(WHOLE)
            elif value:
                ones += value
                message.extend(repeat(place, len(value)))
                element.extend(range(len(value)))
            else:
                self._others.append(place)
        if not ones:
            return []
        return self._block_of_ones(ones, np.array(message), np.array(element))

    def _block_of_ones(
        self, ones: list[Any], message: NDArray[np.int64], element: NDArray[np.int64]
    ) -> list[Block]:
        n = len(ones)
        routes, places = self._group.routes, message.tolist()
        sensor_id = [routes[place].sensor_id or "" for place in places]
        named = [each.sensor_id for each in ones]
        if named.count(UNSET) != n:
            for row, own in enumerate(named):
                if own is not UNSET:
                    sensor_id[row] = self._checked(own, places[row])
        words = [each.quality for each in ones]
        estimated = np.zeros(n, dtype=np.bool_)
        if words.count(UNSET) != n:
            estimated[:] = [word == "estimated" for word in words]
        values = [each.values for each in ones]
        raw: dict[str, NDArray[np.float64]] = {}
        for name, take in self._forms.values.items():
            column = list(map(take, values))
            if column.count(None) != n:
                raw[name] = np.array(column, dtype=np.float64)
        tables = self._tables(list(map(bytes, map(_UNITS, ones))), sensor_id, places)
        times = parse_times([each.time for each in ones])
        said = Block(self._domain, sensor_id, message, element, times, estimated, raw)
        return [self._canonical(said, tables)]

    def _columns(self) -> list[Block]:
        blocks = []
        for place in self._others:
            try:
                document = self._forms.decode_columns(self._group.payloads[place])
            except Exception:
                self._unusual.add(place)
                continue
            columns = document.columns
            n = len(columns.time)
            raw: dict[str, NDArray[np.float64]] = {}
            lengths = {n}
            for name, take in self._forms.values.items():
                column: Any = take(columns)
                if column is not UNSET:
                    raw[name] = np.array(column, dtype=np.float64)
                    lengths.add(len(column))
            sensor_id = [self._group.routes[place].sensor_id or ""] * n
            if columns.sensor_id is not UNSET:
                lengths.add(len(columns.sensor_id))
                sensor_id = [self._checked(own, place) for own in columns.sensor_id]
            estimated = np.zeros(n, dtype=np.bool_)
            if columns.quality is not UNSET:
                lengths.add(len(columns.quality))
                if len(columns.quality) == n:
                    estimated[:] = [word == "estimated" for word in columns.quality]
            if n == 0 or len(lengths) != 1:
                self._unusual.add(place)
                continue
            said = Block(
                self._domain,
                sensor_id,
                np.full(n, place),
                np.arange(n),
                parse_times(columns.time),
                estimated,
                raw,
            )
            units = [bytes(document.units)] * n
            blocks.append(self._canonical(said, self._tables(units, sensor_id, [place] * n)))
        return blocks

    def _canonical(self, said: Block, tables: NDArray[np.int64]) -> Block:
        """The block by columns in canonical units, from one by metric names in the units of `tables`.

        Rows that lack a unit, a value or a time make their message unusual.
        """
        factors, offsets = self._forms.units.stacked()
        table: Any = int(tables[0]) if (tables == tables[0]).all() else tables
        empty = np.ones(len(said), dtype=np.bool_)
        wrong = said.observed_us == INVALID
        metrics: dict[str, NDArray[np.float64]] = {}
        for place, metric in enumerate(CATALOGUE[self._domain].metrics):
            values = said.metrics.get(metric.name)
            if values is None:
                continue
            with np.errstate(over="ignore"):  # infinity is told apart below
                canonical = values * factors[table, place] + offsets[table, place]
            missing = np.isnan(values)
            wrong |= ~(missing | np.isfinite(canonical))
            empty &= missing
            metrics[metric.column] = canonical
        wrong |= empty
        if wrong.any():
            self._unusual.update(said.message[wrong].tolist())
        said.metrics = metrics
        return said

    def _tables(
        self, units: list[bytes], sensor_id: list[str], places: list[int]
    ) -> NDArray[np.int64]:
        """Each row's unit table by number; a row whose units are not valid makes its message unusual."""
        memory, n = self._forms.units, len(units)
        numbers = {
            raw: -1 if (table := memory.of_mapping(raw)) is None else table.number
            for raw in set(units)
            if raw
        }
        if b"" in units:
            unit_of = self._group.unit_of
            found = np.array(
                [
                    numbers[raw] if raw else memory.of_unit(unit_of(own)).number
                    for raw, own in zip(units, sensor_id, strict=True)
                ]
            )
        else:
            found = np.fromiter(map(numbers.__getitem__, units), dtype=np.int64, count=n)
        if -1 in numbers.values():
            bad = np.flatnonzero(found < 0).tolist()
            self._unusual.update(places[row] for row in bad)
            found[bad] = 0
        return found

    def _checked(self, sensor_id: str, place: int) -> str:
        try:
            return check_sensor_id(sensor_id)
        except InvalidInput:
            self._unusual.add(place)
            return sensor_id

    def _by_the_rules(self) -> list[Block]:
        rows: list[tuple[int, Measurement]] = []
        for place in sorted(self._unusual):
            position, payload = self._group.positions[place], self._group.payloads[place]
            route = self._group.routes[place]
            read = guarded(
                position,
                self._decoded,
                partial(
                    read_message,
                    self._domain,
                    route.sensor_id or "",
                    payload,
                    self._group.unit_of,
                ),
            )
            if read is None:
                continue
            rows += [(place, measurement) for measurement in read[0]]
            self._decoded.refusals += [
                Refusal(
                    position,
                    part.refused.reason,
                    part.refused.detail,
                    part.refused.sensor_id,
                    part.body,
                )
                for part in read[1]
            ]
        return [block_of(self._domain, rows)] if rows else []


def _decode_or_none(decode: Any, payload: bytes) -> Any:
    try:
        return decode(payload)
    except Exception:
        return None

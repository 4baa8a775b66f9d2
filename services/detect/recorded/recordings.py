"""A recorded case in the order of time: its lines joined to readings, in batches, with the sensors that they are of.

Metrics of one sensor and time become one reading, the first value of each wins, as in the database. The order is that
of `received_at` where the file has it, else that of the readings' own times, whatever the order of the lines. What the
catalogue does not know is counted and raises no alert. Memory holds an hour of a large case (`sorted_rows`). It refuses
to know truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from services.detect.recorded.case_sensors import CaseSensors, as_one_zone, kind_of, meaning
from services.detect.recorded.lines import AS_USUAL, BadLines, readings_file, recorded_lines
from services.detect.recorded.sorted_rows import IN_MEMORY, Rows, SortedRows
from services.detect.recorded.writing import Writing
from services.detect.table import Array
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import CATALOGUE, Domain, SensorKind
from services.domain.errors import InvalidInput
from services.domain.sensor import Sensor, check_sensor_id
from services.domain.units import Conversion


class Slice(NamedTuple):
    """Readings that arrived within one look of the clock.

    Attributes:
        first_us, last_us: when the first and the last of them arrived.
        batches: one for each domain that has any.
    """

    first_us: int
    last_us: int
    batches: tuple[ReadingBatch, ...]


@dataclass(frozen=True, slots=True)
class _Series:
    """One metric of one sensor."""

    sensor_id: str
    column: str
    conversion: Conversion


@dataclass
class RecordedCase:
    """A case that was read once and can be run through as often as wanted.

    Attributes:
        name: of its folder.
        sensors: by number, 0 to n - 1, in order of id.
        bad: lines that were left out; unwatched: lines of a kind or metric that no detector knows, by "kind metric".
        unnamable: lines of sensors that cannot be called so, by what is wrong with the id.
        never_read: sensors that sensors.json describes and that have no line.
        lines: how many lines were understood.
        arrivals: whether some lines arrived later than they were observed.
        rows, series: the values, and of which sensor and metric each is.
    """

    name: str
    sensors: tuple[Sensor, ...] = ()
    bad: BadLines = field(default_factory=BadLines)
    unwatched: dict[str, int] = field(default_factory=dict)
    unnamable: dict[str, int] = field(default_factory=dict)
    never_read: tuple[str, ...] = ()
    lines: int = 0
    arrivals: bool = False
    rows: SortedRows = field(default_factory=SortedRows)
    series: list[_Series] = field(default_factory=list)

    @property
    def numbered(self) -> list[tuple[int, Sensor]]:
        """The sensors with their numbers."""
        return list(enumerate(self.sensors))

    def domains(self) -> tuple[Domain, ...]:
        """The domains of its sensors."""
        present = {sensor.domain for sensor in self.sensors}
        return tuple(domain for domain in Domain if domain in present)

    def batches(self) -> Iterator[Mapping[Domain, ReadingBatch]]:
        """All readings in the order of arrival, block after block; one of one time in the order of the sensors."""
        joiner = _Joiner(self)
        for rows in self.rows.blocks():
            of = joiner.domain[rows.series]
            yield {
                domain: joiner.joined(domain, rows.take(np.flatnonzero(of == i)))
                for i, domain in enumerate(Domain)
                if (of == i).any()
            }

    def slices(self, every_us: Mapping[Domain, int]) -> Iterator[Slice]:
        """The readings cut where the clock is looked at: as often as the quickest of the case's domains asks for."""
        every = min((every_us[domain] for domain in self.domains()), default=1)
        for block in self.batches():
            yield from sliced(block, every)


def sliced(block: Mapping[Domain, ReadingBatch], every_us: int) -> Iterator[Slice]:
    """Batches in the order of arrival, cut together at every multiple of `every_us`."""
    parts: dict[int, list[ReadingBatch]] = {}
    for batch in block.values():
        span = batch.received_us // every_us
        cuts = np.flatnonzero(span[1:] != span[:-1]) + 1
        for a, b in pairwise([0, *cuts.tolist(), len(batch)]):
            parts.setdefault(int(span[a]), []).append(batch.take(np.arange(a, b)))
    for key in sorted(parts):
        some = tuple(parts[key])
        yield Slice(
            min(int(batch.received_us[0]) for batch in some),
            max(int(batch.received_us[-1]) for batch in some),
            some,
        )


class _Joiner:
    """Makes readings of rows; what the series of a case mean, as arrays."""

    def __init__(self, case: RecordedCase) -> None:
        number_of = {sensor.id: i for i, sensor in enumerate(case.sensors)}
        self.number = np.array([number_of[each.sensor_id] for each in case.series], np.int32)
        self.domain = np.array(
            [tuple(Domain).index(case.sensors[number].domain) for number in self.number], np.int8
        )
        self._factor = np.array([each.conversion.factor for each in case.series])
        self._offset = np.array([each.conversion.offset for each in case.series])
        names = sorted({each.column for each in case.series})
        self._column = np.array([names.index(each.column) for each in case.series], np.int16)
        self._names = {
            domain: [
                (names.index(metric.column), metric.column)
                for metric in CATALOGUE[domain].metrics
                if metric.column in names
            ]
            for domain in Domain
        }

    def joined(self, domain: Domain, rows: Rows) -> ReadingBatch:
        """The readings that lines of one domain make, in the order of (arrival, time, sensor)."""
        number = self.number[rows.series]
        order = np.lexsort((number, rows.at_us, rows.key_us))
        rows, number = rows.take(order), number[order]
        new = np.ones(len(rows), np.bool_)
        new[1:] = (
            (rows.key_us[1:] != rows.key_us[:-1])
            | (rows.at_us[1:] != rows.at_us[:-1])
            | (number[1:] != number[:-1])
        )
        reading = np.cumsum(new) - 1
        canonical = rows.value * self._factor[rows.series] + self._offset[rows.series]
        of = self._column[rows.series]
        metrics: dict[str, Array] = {}
        for index, name in self._names[domain]:
            mine = np.flatnonzero(of == index)[::-1]
            if mine.size:
                values = np.full(reading[-1] + 1, np.nan)
                values[reading[mine]] = canonical[mine]  # the first line is written last
                metrics[name] = values
        return ReadingBatch(
            domain,
            number[new],
            rows.at_us[new],
            rows.key_us[new],
            np.zeros(reading[-1] + 1, np.int16),
            metrics,
        )


def read_case(case: Path, in_memory: int = IN_MEMORY, writing: Writing = AS_USUAL) -> RecordedCase:
    """The case of a folder (or of a readings file).

    A sensor is what its first line says; kinds that are left out are guessed from the metric.

    Args:
        in_memory: lines that are held before the disk is used.
        writing: how times and numbers are written.

    Raises:
        InvalidInput: no readings file, one that is not understood, or a sensors.json that describes no sensors.
    """
    path = readings_file(case)
    described = CaseSensors(path.parent / "sensors.json", path.parent.resolve().name)
    found = RecordedCase(path.parent.resolve().name, rows=SortedRows(in_memory))
    sensors: dict[str, Sensor] = {}
    places: dict[tuple[str, str, str], int | None] = {}
    unnamable: dict[str, str] = {}
    rows = found.rows
    for line in recorded_lines(path, found.bad, writing):
        _, at_us, received_us, sensor_id, kind, metric, value = line
        found.lines += 1
        key = (sensor_id, kind, metric)
        place = places.get(key, -1)
        if place == -1:
            place = places[key] = _place(found, sensors, described, key, unnamable)
        if place is None and sensor_id in unnamable:
            problem = unnamable[sensor_id]
            found.unnamable[problem] = found.unnamable.get(problem, 0) + 1
        elif place is None:
            name = f"{kind} {metric}".strip()
            found.unwatched[name] = found.unwatched.get(name, 0) + 1
        elif -np.inf < value < np.inf:
            found.arrivals |= received_us != at_us
            rows.add(received_us, at_us, place, value)
    found.never_read = tuple(sorted(described.names - {sensor for sensor, _, _ in places}))
    found.sensors = as_one_zone([sensors[name] for name in sorted(sensors)], path.parent.name)
    return found


def _place(
    case: RecordedCase,
    sensors: dict[str, Sensor],
    described: CaseSensors,
    key: tuple[str, str, str],
    unnamable: dict[str, str],
) -> int | None:
    """Where the values of this sensor, kind and metric go; None where no detector knows them, or no sensor can be
    called so: that is added to `unnamable`.
    """
    sensor_id, kind, metric = key
    sensor = sensors.get(sensor_id)
    sensor_kind: SensorKind | None = sensor.kind if sensor else kind_of(kind, metric)
    meant = meaning(sensor_kind, metric) if sensor_kind else None
    if sensor_kind is None or meant is None:
        return None
    if sensor is None:
        try:
            check_sensor_id(sensor_id)
        except InvalidInput as error:
            unnamable[sensor_id] = str(error)
            return None
        sensors[sensor_id] = described.sensor(sensor_id, sensor_kind)
    case.series.append(_Series(sensor_id, meant[0].column, meant[1]))
    return len(case.series) - 1


@dataclass(frozen=True, slots=True)
class Recording:
    """A case in memory.

    Attributes:
        sensors: by number, 0 to n - 1, in order of id.
        batches: one for each domain, rows in the order of time, then of the sensor's number.
        unwatched: lines left out by "kind metric", because the catalogue does not know them.
    """

    sensors: tuple[Sensor, ...]
    batches: Mapping[Domain, ReadingBatch]
    unwatched: Mapping[str, int] = field(default_factory=dict)


def read_recording(case: Path, writing: Writing = AS_USUAL) -> Recording:
    """The whole case in memory, for those who draw it. Errors as in `read_case`."""
    found = read_case(case, writing=writing)
    parts: dict[Domain, list[ReadingBatch]] = {}
    for block in found.batches():
        for domain, batch in block.items():
            parts.setdefault(domain, []).append(batch)
    whole = {domain: concatenate(batches) for domain, batches in parts.items()}
    for domain, batch in whole.items():
        if found.arrivals:
            whole[domain] = batch.take(np.lexsort((batch.sensor, batch.observed_us)))
    return Recording(found.sensors, whole, found.unwatched)

"""A question about readings, understood: which sensors, which metrics, from when to when, in whose local time.

It refuses sensors of two domains in one table, ranges that end before they begin, and more sensors than one answer
holds; each refusal says what to ask instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.api.history.forms.table import Column, ColumnKind, Words
from services.api.history.reading_parameters import MOST_SENSORS, RangeParameters, Selection
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.store.connection import Connection
from services.store.query import sensor_sets
from services.store.sensors import RegisteredSensor

DEFAULT_RANGE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for.

    Attributes:
        sensors: in the order of their numbers.
        names: metric columns, in the order asked for.
        start, end: the range [start, end).
        zone: IANA zone of local days: the one asked for, or the sensors'; UTC where they have several.
    """

    sensors: Sequence[RegisteredSensor]
    domain: Domain
    names: Sequence[str]
    start: datetime
    end: datetime
    zone: str

    @property
    def numbers(self) -> NDArray[np.int32]:
        """(s,) numbers of the sensors, in order."""
        return np.array([each.number for each in self.sensors], np.int32)

    def ids(self, numbers: NDArray[np.int32]) -> Words:
        """The column of ids of (n,) sensor numbers."""
        codes = np.searchsorted(self.numbers, numbers).astype(np.int32)
        return Words(codes, [each.sensor.id for each in self.sensors])

    def metric_columns(self) -> list[Column]:
        """The value columns with their units."""
        units = CATALOGUE[self.domain].by_column
        return [Column(name, ColumnKind.NUMBER, units[name].unit) for name in self.names]


def question(
    sensors: Sequence[RegisteredSensor], metrics: Sequence[str], chosen: RangeParameters
) -> Question:
    """The question about these sensors (one at least).

    Raises:
        InvalidInput: the sensors have two domains, a metric is not one of theirs, the range is empty.
    """
    domain = one_domain(sensors)
    start, end = span(chosen)
    zones = {each.sensor.time_zone for each in sensors}
    return Question(
        sensors=sorted(sensors, key=lambda each: each.number),
        domain=domain,
        names=metric_names(domain, metrics),
        start=start,
        end=end,
        zone=chosen.time_zone or (zones.pop() if len(zones) == 1 else "UTC"),
    )


def span(chosen: RangeParameters) -> tuple[datetime, datetime]:
    """The range asked for, [start, end).

    Raises:
        InvalidInput: it ends before it begins.
    """
    end = chosen.end or datetime.now(UTC)
    start = chosen.start or end - DEFAULT_RANGE
    if start >= end:
        field = "start" if chosen.end is None else "end"
        rule = "a time before end" if field == "start" else "a time after start"
        raise InvalidInput(field, getattr(chosen, field).isoformat(), rule)
    return start, end


def sensors_of(connection: Connection, chosen: Selection) -> list[RegisteredSensor]:
    """The sensors that are asked for: by their ids, or all of a zone or a road.

    Raises:
        InvalidInput: none or several of the three ways, or too many sensors.
        UnknownSensors, UnknownPlace: nobody knows them.
    """
    ways = {
        "sensor_id": bool(chosen.sensor_id),
        "zone": bool(chosen.zone),
        "road": bool(chosen.road),
    }
    given = [name for name, there in ways.items() if there]
    if len(given) != 1:
        raise InvalidInput(
            given[1] if given else "sensor_id",
            ", ".join(given) or None,
            "one of sensor_id, zone and road says which sensors",
        )
    if chosen.direction is not None and not chosen.road:
        raise InvalidInput("direction", chosen.direction, "only together with road")
    if chosen.kind is not None and chosen.sensor_id:
        raise InvalidInput("kind", chosen.kind.value, "only together with zone or road")
    if chosen.sensor_id:
        return sensor_sets.by_ids(connection, chosen.sensor_id)
    kinds = None if chosen.kind is None else [chosen.kind]
    if chosen.zone:
        found = sensor_sets.of_zone(connection, chosen.zone, limit=MOST_SENSORS + 1, kinds=kinds)
    else:
        assert chosen.road is not None
        found = sensor_sets.of_road(
            connection,
            chosen.road,
            limit=MOST_SENSORS + 1,
            direction=chosen.direction,
            kinds=kinds,
        )
    if len(found) > MOST_SENSORS:
        raise InvalidInput(
            given[0],
            chosen.zone or chosen.road,
            f"at most {MOST_SENSORS} sensors in one answer: choose a kind, or make an export (POST /v1/exports)",
        )
    return found


def one_domain(sensors: Sequence[RegisteredSensor]) -> Domain:
    """The domain of all of them. Raises InvalidInput when there are several."""
    domains = {each.sensor.domain for each in sensors}
    if len(domains) > 1:
        raise InvalidInput(
            "sensor_id",
            ", ".join(sorted(domains)),
            "sensors of one domain; ask for each domain by itself",
        )
    return domains.pop()


def metric_names(domain: Domain, asked: Sequence[str]) -> list[str]:
    """Columns of the metrics asked for, by column or short name, with commas or without; all of the domain for none.

    Raises:
        InvalidInput: the domain has no such metric.
    """
    table = CATALOGUE[domain]
    words = [word for part in asked for word in part.split(",") if word]
    names = []
    for word in words or table.by_column:
        metric = table.by_column.get(word) or table.by_name.get(word)
        if metric is None:
            raise InvalidInput("metrics", word, f"{domain} has {', '.join(table.by_column)}")
        names.append(metric.column)
    return list(dict.fromkeys(names))

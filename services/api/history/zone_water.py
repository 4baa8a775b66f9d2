"""A zone's water: what flows through its inlets and outlets, into its tanks and through its customers' meters.

It refuses to make up a flow: where an inlet is not known, neither is what the zone took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.api.history.forms.table import Block
from services.api.history.reading_buckets import answered
from services.domain.buckets import zone_of
from services.domain.catalogue import SensorKind
from services.domain.instant import HOUR_US, from_us
from services.domain.statistic import Statistic
from services.store.connection import Connection
from services.store.query.consumption import consumption
from services.store.query.question import Question as Asked
from services.store.sensors import RegisteredSensor

Floats = NDArray[np.float64]
ENOUGH: Final = 0.9
"""Share of a bucket's time for which every inlet and outlet must be known, or its flow is unknown."""
_LITRES: Final = 1000.0
"""In a cubic metre."""


@dataclass(frozen=True, slots=True)
class Water:
    """A zone's water in m buckets.

    Attributes:
        edges_us: (m + 1,) the buckets' bounds.
        inflow, outflow, storage: (m,) litres through inlets and outlets, and into tanks; NaN where not known, 0 where
            the zone has no such sensor.
        flow_share: (m,) share of the time for which the least known inlet or outlet is known.
        metered: (m,) litres of the customers' meters; NaN where none is known.
        metered_share: (m,) share of the meters' time for which litres are known.
    """

    edges_us: NDArray[np.int64]
    inflow: Floats
    outflow: Floats
    storage: Floats
    flow_share: Floats
    metered: Floats
    metered_share: Floats

    @property
    def net(self) -> Floats:
        """(m,) litres that went into the zone and stayed out of its tanks."""
        return self.inflow - self.outflow - self.storage


def water(connection: Connection, members: Sequence[RegisteredSensor], asked: Asked) -> Water:
    """The water of a zone with these members in the buckets of a question (its sensors do not count)."""
    edges = asked.edges_us()
    inflow, share_in = _litres(connection, members, SensorKind.DMA_INLET, asked)
    outflow, share_out = _litres(connection, members, SensorKind.DMA_OUTLET, asked)
    storage = _storage(connection, members, asked)
    metered, share = _metered(connection, members, asked)
    return Water(edges, inflow, outflow, storage, np.minimum(share_in, share_out), metered, share)


def _of(members: Sequence[RegisteredSensor], kind: SensorKind) -> list[RegisteredSensor]:
    return [each for each in members if each.sensor.kind is kind]


def _litres(
    connection: Connection, members: Sequence[RegisteredSensor], kind: SensorKind, asked: Asked
) -> tuple[Floats, Floats]:
    """(m,) litres through all sensors of a kind, NaN where one of them is not known; (m,) the least known share."""
    numbers = [each.number for each in _of(members, kind)]
    buckets = len(asked.edges_us()) - 1
    total, known = np.zeros(buckets), np.ones(buckets)
    for block in consumption(connection, replace(asked, sensors=numbers)):
        first = int(np.searchsorted(asked.edges_us(), block.edges_us[0]))
        part = slice(first, first + block.litres.shape[1])
        missing = np.isnan(block.litres) | (block.known < ENOUGH)
        total[part] += np.where(missing, np.nan, block.litres).sum(axis=0)
        known[part] = np.minimum(known[part], block.known.min(axis=0))
    return total, known


def _metered(
    connection: Connection, members: Sequence[RegisteredSensor], asked: Asked
) -> tuple[Floats, Floats]:
    """(m,) the known litres of all meters, NaN where none is known; (m,) the share of their time that is known."""
    numbers = [each.number for each in _of(members, SensorKind.WATER_METER)]
    buckets = len(asked.edges_us()) - 1
    total, known = np.zeros(buckets), np.zeros(buckets)
    for block in consumption(connection, replace(asked, sensors=numbers)):
        first = int(np.searchsorted(asked.edges_us(), block.edges_us[0]))
        part = slice(first, first + block.litres.shape[1])
        total[part] += np.nansum(block.litres, axis=0)
        known[part] += block.known.sum(axis=0)
    share = known / len(numbers) if numbers else np.full(buckets, np.nan)
    return np.where(known > 0, total, np.nan), share


def _storage(connection: Connection, members: Sequence[RegisteredSensor], asked: Asked) -> Floats:
    """(m,) litres that went into the zone's tanks: rise of the level times area; NaN where a level is not known."""
    tanks = [each for each in _of(members, SensorKind.TANK_LEVEL) if each.sensor.area_m2]
    edges = asked.edges_us()
    total = np.zeros(len(edges) - 1)
    if not tanks:
        return total
    width = int(edges[1] - edges[0])
    earlier = replace(
        asked,
        sensors=[each.number for each in tanks],
        metrics=["level_m"],
        statistics=[Statistic.LAST],
        start=from_us(int(edges[0]) - width),
    )
    found_edges, values = answered(connection, earlier)
    at = np.searchsorted(found_edges, edges[:-1])
    for row, tank in zip(values[0], tanks, strict=True):
        assert tank.sensor.area_m2 is not None
        total += (row[at] - row[at - 1]) * tank.sensor.area_m2 * _LITRES
    return total


def nights(found: Water, days_us: NDArray[np.int64], zone: str, between: tuple[int, int]) -> Block:
    """One row for each local day: of its hours from the first to before the last one that are known."""
    begin = found.edges_us[:-1]
    length_h = np.diff(found.edges_us) / HOUR_US
    local = np.array([from_us(us).astimezone(zone_of(zone)).hour for us in begin.tolist()])
    night = (local >= between[0]) & (local < between[1])
    day = np.searchsorted(days_us, begin, side="right") - 1
    n = len(days_us) - 1
    lowest, mean, metered, share = (np.full(n, np.nan) for _ in range(4))
    net, meters = found.net / length_h, found.metered / length_h
    for i in range(n):
        rows = np.flatnonzero(night & (day == i))
        known = rows[~np.isnan(net[rows])]
        if len(known):
            least = known[np.argmin(net[known])]
            lowest[i], mean[i] = net[least], net[known].mean()
            metered[i], share[i] = meters[least], found.metered_share[least]
    return {
        "time": days_us[:-1],
        "night_flow_litres_per_h": lowest,
        "night_mean_litres_per_h": mean,
        "metered_litres_per_h": metered,
        "metered_share": share,
    }

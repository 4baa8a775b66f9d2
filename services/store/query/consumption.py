"""What went through meters by buckets of time: registers, reported volumes or rates become litres, block after block.

Rollover, reset, exchange and backflow are told apart as the detectors do (`domain/register.py`). It refuses to guess
across an exchange: such litres are unknown, and the bucket says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain.catalogue import Domain
from services.domain.errors import InvalidInput
from services.domain.instant import HOUR_US
from services.domain.register import MOST_LITRES_PER_H, SHORTEST_H, MeterEvent, consumed
from services.store.connection import Connection
from services.store.query.columns import Columns, neighbours, spans, values_in
from services.store.query.question import ConsumptionBlock, Question
from services.store.query.summaries import (
    HOLDS_CADENCES,
    MOST_ROWS,
    REACH_US,
    Window,
    blocks_of,
    cadences,
    covered,
    window_of,
)

REGISTER, VOLUME, FLOW = "register_litres", "consumption_litres", "flow_litres_per_h"
METRICS: Final = (REGISTER, VOLUME, FLOW)


def consumption(
    conn: Connection, question: Question, *, most_rows: int = MOST_ROWS
) -> Iterator[ConsumptionBlock]:
    """Answer how much went through each sensor, in blocks as `summaries`; metrics and statistics are not looked at.

    Raises:
        InvalidInput: not the water domain. DatabaseUnavailable: as `summaries`.
    """
    if question.domain is not Domain.WATER:
        raise InvalidInput("domain", question.domain, "water: only meters have consumption")
    edges = question.edges_us()
    sensors = np.asarray(question.sensors, np.int32)
    cadence_us = cadences(conn, sensors)
    for place, part in blocks_of(question, edges, cadence_us, most_rows):
        window = window_of(question, edges[part])
        found = _with_neighbours(conn, question, sensors[place], window)
        yield _block(found, sensors[place], cadence_us[place], window)


def _with_neighbours(
    conn: Connection, question: Question, sensors: NDArray[np.int32], window: Window
) -> Columns:
    """The window's readings with the ones before and after it, from which what crosses its bounds is known."""
    exclude = int(question.exclude)
    wanted = spans(sensors, window.start_us, window.end_us)
    parts = [values_in(conn, Domain.WATER, METRICS, wanted, exclude)]
    for start, end, latest in (
        (window.start_us - REACH_US, window.start_us, True),
        (window.end_us, window.end_us + REACH_US, False),
    ):
        parts.append(
            neighbours(
                conn,
                Domain.WATER,
                METRICS,
                sensors,
                start_us=start,
                end_us=end,
                exclude=exclude,
                latest=latest,
            )
        )
    series = np.concatenate([each.series for each in parts])
    at_us = np.concatenate([each.at_us for each in parts])
    order = np.lexsort((at_us, series))
    values = {name: np.concatenate([e.values[name] for e in parts])[order] for name in METRICS}
    return Columns(series[order], at_us[order], values)


def _block(
    found: Columns,
    sensors: NDArray[np.int32],
    cadence_us: NDArray[np.float64],
    window: Window,
) -> ConsumptionBlock:
    shape = (len(sensors), window.buckets)
    litres, known, count = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    events = np.zeros(shape, np.int16)
    bounds = np.searchsorted(found.series, np.arange(len(sensors) + 1))
    for k in range(len(sensors)):
        rows = slice(bounds[k], bounds[k + 1])
        at_us = found.at_us[rows]
        values = {name: column[rows] for name, column in found.values.items()}
        start, end, amount, event = _intervals(at_us, values, float(cadence_us[k]))
        _share_out(start, end, amount, window, litres=litres[k], known=known[k])
        inside = (end >= window.start_us) & (end < window.end_us)
        bucket = np.searchsorted(window.edges_us, end[inside], side="right") - 1
        np.add.at(count[k], bucket, 1.0)
        np.bitwise_or.at(events[k], bucket, np.left_shift(1, event[inside]).astype(np.int16))
    events &= ~np.int16(1 << MeterEvent.NONE)
    share = np.minimum(1.0, known / window.inside_us()[None, :])
    return ConsumptionBlock(
        sensors,
        window.edges_us,
        np.where(known > 0, litres, np.nan),
        share,
        covered(count, cadence_us, window),
        events,
    )


def _intervals(
    at_us: NDArray[np.int64], values: dict[str, NDArray[np.float64]], cadence_us: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
    """Of one sensor: intervals [start, end), one for each reading that says litres, their litres and events."""
    register = values[REGISTER]
    has = ~np.isnan(register)
    if has.any():
        at_us, register = at_us[has], register[has]
        litres, event = consumed(at_us, register, np.zeros(len(at_us), np.int64))
        start = np.concatenate([at_us[:1], at_us[:-1]])
        return start, at_us, litres, event
    length = np.diff(at_us, prepend=at_us[:1])
    usual = cadence_us
    if np.isnan(usual):
        usual = float(np.median(length[1:])) if len(at_us) > 1 else 0.0
    length[:1] = int(usual)
    span = np.where(length > HOLDS_CADENCES * usual, min(usual, 4e18), length).astype(np.int64)
    rate = values[FLOW] * span / HOUR_US
    litres = np.where(np.isnan(values[VOLUME]), rate, values[VOLUME])
    wild = np.abs(litres) > MOST_LITRES_PER_H * np.maximum(span / HOUR_US, SHORTEST_H)
    event = np.where(wild, MeterEvent.JUMP, np.where(litres < 0, MeterEvent.BACKFLOW, 0))
    use = ~np.isnan(litres) & (span > 0)
    litres = np.where(wild, np.nan, litres)
    return (at_us - span)[use], at_us[use], litres[use], event[use].astype(np.int8)


def _share_out(
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    amount: NDArray[np.float64],
    window: Window,
    *,
    litres: NDArray[np.float64],
    known: NDArray[np.float64],
) -> None:
    """Spread each interval's amount evenly over the part of the buckets that lies inside the range."""
    use = ~np.isnan(amount) & (end > start)
    if not use.any():
        return
    knots = np.stack([start[use], end[use]], axis=1).ravel()
    knots = np.maximum.accumulate(knots)
    zero = np.zeros(int(use.sum()))
    amounts = np.cumsum(np.stack([zero, amount[use]], axis=1).ravel())
    lengths = np.cumsum(np.stack([zero, (end - start)[use].astype(float)], axis=1).ravel())
    edges = np.clip(window.edges_us, window.start_us, window.end_us)
    base = knots[0]
    at = (edges - base).astype(np.float64)
    knots = (knots - base).astype(np.float64)
    litres += np.diff(np.interp(at, knots, amounts))
    known += np.diff(np.interp(at, knots, lengths))

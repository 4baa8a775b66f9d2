"""The numbers that prove an incident: of the queue at the station, or of the vehicles that do not arrive beyond it.

It refuses to decide; `incident.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.detect.detectors.slowdown import LEAST_KM_PER_H
from services.detect.elementwise import clip
from services.detect.table import Array, Rows
from services.detect.windows.presence import Presence
from services.domain.condition import Evidence
from services.domain.instant import SECOND_US

DROP: Final = 30.0
SHARE: Final = 0.75
APART: Final = 30.0
FEWER: Final = 0.78
"""Limits of the signs: km/h below the last quarter of an hour and that share of it, km/h below the neighbour
downstream, share of the vehicles expected there."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One look at n pairs of neighbours.

    Attributes:
        rows, safe: (n,) rows of the station and of its neighbour downstream.
        v, vd, slow: (n,) km/h here, downstream, and here over the last quarter of an hour without signs.
        flow, flow_before: (n,) veh/h downstream, now and over twenty minutes; left: (n,) share of it that is left.
        expected: (n,) veh/h that should arrive downstream; stored: (n,) vehicles held up between both.
        by_storage: (n,) bool, held-up vehicles are the sign, not the queue.
        bottleneck: (n,) share of days with a queue at this hour; congested: (n,) bool, a jam has been told here.
        closed: (n,) bool, no vehicle at all comes out; empty_min: (n,) minutes since one did; before: (n,) veh/h then.
        slowed: (n,) bool, a slowdown is the only sign; excess: (n,) km/h by which the pair differs more than it does as
            a rule; filled: (n,) flow as a share of the most that the station has carried.
        by_surplus: (n,) bool, more vehicles than usual on the way are the only sign; surplus, surplus_limit: (n,) how
            many.
    """

    rows: Rows
    safe: Rows
    v: Array
    vd: Array
    slow: Array
    flow: Array
    flow_before: Array
    left: Array
    expected: Array
    stored: Array
    by_storage: Array
    bottleneck: Array
    congested: Array
    closed: Array
    empty_min: Array
    before: Array
    slowed: Array
    excess: Array
    filled: Array
    by_surplus: Array
    surplus: Array
    surplus_limit: Array


def evidence_of(
    seen: Looked, told_us: Array, span_s: Array, cadence_us: Array, presence: Presence
) -> Callable[[int], Evidence]:
    """The evidence of the pair at a position.

    Args:
        told_us: (n,) end of the look; span_s: (n,) seconds that the looks before it cover.
        cadence_us: (rows,) of all rows; presence: the times of the stations' readings.
    """
    span = (span_s * SECOND_US).astype(np.int64)
    pair = (seen.rows, seen.safe)
    came = [presence.count(r, told_us - span, told_us) for r in pair]
    wanted = [clip(span // np.maximum(cadence_us[r], SECOND_US), 1, presence.width) for r in pair]
    missing = 1.0 - np.minimum(came, wanted).sum(axis=0) / np.sum(wanted, axis=0)
    limit = np.fmin(np.fmin(seen.slow - DROP, SHARE * seen.slow), seen.vd - APART)

    def evidence(i: int) -> Evidence:
        numbers = {
            "speed_km_per_h": seen.v[i],
            "downstream_km_per_h": seen.vd[i],
            "apart_limit_km_per_h": APART,
            "downstream_flow_veh_per_h": seen.flow[i],
            "downstream_flow_before_veh_per_h": seen.flow_before[i],
            "downstream_flow_left_1": seen.left[i],
            "expected_flow_veh_per_h": seen.expected[i],
            "stored_veh": seen.stored[i],
            "by_storage_1": seen.by_storage[i],
            "bottleneck_share_1": seen.bottleneck[i],
            "congestion_1": seen.congested[i],
            "downstream_readings_1": came[1][i],
        }
        if seen.slowed[i]:
            usual = seen.v[i] + seen.excess[i]
            return Evidence(
                "speed_km_per_h", "km/h", _finite(seen.v[i]), _finite(usual - LEAST_KM_PER_H), _finite(usual),
                float(span_s[i]), int(came[0][i] + came[1][i]), round(float(missing[i]), 3),
                _rounded(numbers | {"slowed_1": 1.0, "excess_km_per_h": seen.excess[i], "filled_1": seen.filled[i]}),
            )  # fmt: skip
        if seen.by_surplus[i]:
            return Evidence(
                "count_veh", "{veh}", _finite(seen.surplus[i]), _finite(seen.surplus_limit[i]), None,
                float(span_s[i]), int(came[0][i] + came[1][i]), round(float(missing[i]), 3),
                _rounded(numbers | {"by_surplus_1": 1.0, "surplus_veh": seen.surplus[i]}),
            )  # fmt: skip
        should = seen.expected[i]
        if seen.closed[i]:
            numbers |= {"closed_1": 1.0, "empty_min": seen.empty_min[i]}
            should = np.fmax(should, seen.before[i])
        column, unit, value, threshold, baseline = (
            ("flow_veh_per_h", "{veh}/h", seen.flow[i], FEWER * should, should)
            if seen.by_storage[i]
            else ("speed_km_per_h", "km/h", seen.v[i], limit[i], seen.slow[i])
        )
        return Evidence(
            column, unit, _finite(value), _finite(threshold), _finite(baseline), float(span_s[i]),
            int(came[0][i] + came[1][i]), round(float(missing[i]), 3),
            _rounded(numbers),
        )  # fmt: skip

    return evidence


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(x), 2) for name, x in numbers.items() if np.isfinite(x)}


def _finite(x: float) -> float | None:
    return round(float(x), 1) if np.isfinite(x) else None

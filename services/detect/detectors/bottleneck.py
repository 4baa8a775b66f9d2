"""Where does a queue begin, how long is it, and what has it cost? Context for the alerts of congestion.

Question: which stations next to each other are jammed together, and which of them is the head, behind the bottleneck?
Formula: at each half minute of the feed's time, stations of one road and direction that are linked (next to each other,
    at most 3 km apart) and jammed form a queue. Its head is the last one downstream: the bottleneck lies between it and
    the next station. A station stands for half of the way to each neighbour (at the end of a road for the same on both
    sides). queue_km is the sum of these lengths, delay_vehicle_h the sum of
    length x flow x (1 / v - 1 / v_free) dt since each of the stations became slow; v_free is the speed of the station's
    fastest hour of the week, at least the limit that ends a jam.
Units: km, vehicle-hours. Sources: vehicle-hours of delay as in PeMS (Chen 2003; Caltrans PeMS documentation, with the
    station's own free speed in place of a fixed one); queue and head as in Chen, Skabardonis, Varaiya 2004 ("Systematic
    identification of freeway bottlenecks").
Missing: a station that is silent keeps its last state; one without position or neighbour has no queue, and its delay
    is told for each kilometre alone. Late readings do not enter. It raises nothing by itself.
"""

from __future__ import annotations

import numpy as np

from services.detect.table import Array, Field, Rows, Table


class Queues:
    """The queues beside each station, as of the last look: what is jammed up- and downstream of it without a gap."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "down_km": Field("f8"),
                "down_delay": Field("f8"),
                "up_km": Field("f8"),
                "up_delay": Field("f8"),
                "head_km": Field("f8", np.nan),
            }
        )
        self.order = np.empty(0, np.intp)
        self.linked = np.empty(0, np.bool_)
        self.km = np.empty(0)
        self.length_km = np.empty(0)

    def link(self, order: Rows, linked: Array, position_m: Array) -> None:
        """Take over the roads.

        Args:
            order: (m,) rows with a place, by road and position; linked: (m,) bool, the next one is its neighbour.
            position_m: (rows,) along the road, NaN without.
        """
        self.order, self.linked = order, linked
        self.km = position_m / 1000.0
        self.length_km = np.full(len(position_m), np.nan)
        if order.size == 0:
            return
        gap = np.where(linked, np.append(np.diff(self.km[order]), np.nan), np.nan)
        before = np.concatenate([[np.nan], gap[:-1]])
        both = np.where(np.isnan(gap), before, gap) + np.where(np.isnan(before), gap, before)
        self.length_km[order] = both / 2

    def look(self, jammed: Array, delay_per_km: Array) -> None:
        """Find the queues anew.

        Args:
            jammed: (rows,) bool; delay_per_km: (rows,) vehicle-hours for each km of road since it became slow.
        """
        order, t = self.order, self.table
        if order.size == 0:
            return
        on = jammed[order]
        if not on.any():
            if t["down_km"][order].any() or t["up_km"][order].any():
                for name in ("down_km", "down_delay", "up_km", "up_delay"):
                    t[name][order] = 0.0
            t["head_km"][order] = np.nan
            return
        length = np.nan_to_num(self.length_km[order])
        place = np.arange(len(order))
        joined = on[:-1] & on[1:] & self.linked[:-1]
        begin = np.maximum.accumulate(np.where(np.append(False, joined), 0, place))
        end = np.minimum.accumulate(np.where(np.append(joined, False), len(place), place)[::-1])[
            ::-1
        ]
        below = np.append(self.linked[:-1] & on[1:], False)  # the next one downstream is jammed
        above = np.append(False, self.linked[:-1] & on[:-1])
        last = end[np.minimum(place + 1, len(place) - 1)]
        first = begin[np.maximum(place - 1, 0)]
        t["head_km"][order] = np.where(below, self.km[order][last], np.nan)
        for name, each in (("km", length), ("delay", length * delay_per_km[order])):
            total = np.append(0.0, np.cumsum(each))
            t[f"down_{name}"][order] = np.where(below, total[last + 1] - total[place + 1], 0.0)
            t[f"up_{name}"][order] = np.where(above, total[place] - total[first], 0.0)

    def numbers(self, row: int, delay_per_km: float) -> dict[str, float]:
        """The queue that the station is part of, with its own delay as of now; empty where it has no neighbours."""
        length = float(self.length_km[row]) if row < len(self.length_km) else np.nan
        if not np.isfinite(length):
            return {}
        t = self.table
        head = float(t["head_km"][row])
        delay = length * delay_per_km + float(t["down_delay"][row]) + float(t["up_delay"][row])
        return {
            "queue_km": round(length + float(t["down_km"][row]) + float(t["up_km"][row]), 2),
            "bottleneck_at_km": round(head if np.isfinite(head) else float(self.km[row]), 2),
            "bottleneck_here_1": float(not np.isfinite(head)),
            "delay_vehicle_h": round(delay, 1),
        }

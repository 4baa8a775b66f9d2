"""Where queues begin day by day: the share of days on which a station was the head of a queue at an hour.

A station that stood below 64 km/h in front of a faster one for four minutes was a head in that hour. Its discharge is
the flow that the queue lets through then, a mean over half an hour of such looks. It refuses to know what an incident
is: the caller leaves those looks out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.detect.table import NEVER, Array, Field, Rows, Table
from services.domain.instant import SECOND_US

HEAD_KM_PER_H: Final = 64.0
_HEAD_US: Final = 240 * SECOND_US
_DISCHARGE_S: Final = 1800.0
_HOURS: Final = np.array([-1, 0, 1])


class QueueHeads:
    """Shares of days, by hour of the day."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "head_us": Field("i8", NEVER),
                "discharge": Field("f4", np.nan),
                "heads": Field("f4", 0.0, (24,)),
                "today": Field("?", False, (24,)),
                "day": Field("i4", -1),
                "days": Field("i4"),
            }
        )

    def around(self, rows: Rows, hour: Array) -> Array:
        """(n,) the largest share of days of the hour and the two beside it."""
        share: Array = self.table["heads"][rows[:, None], (hour[:, None] + _HOURS) % 24].max(axis=1)
        return share

    def learn(
        self, rows: Rows, end_us: int, hour: Array, head: Array, flow: Array, dt_s: Array
    ) -> None:
        """Take a look at `rows`: (n,) bool, the head of a queue that no incident explains; (n,) veh/h, (n,) seconds."""
        t = self.table
        since = np.where(
            head, np.where(t["head_us"][rows] == NEVER, end_us, t["head_us"][rows]), NEVER
        )
        t["head_us"][rows] = since
        lasted = np.where(since == NEVER, -1, end_us - np.where(since == NEVER, 0, since))
        t["today"][rows, hour] |= lasted >= _HEAD_US
        old = t["discharge"][rows]
        step = 1.0 - np.exp(-np.minimum(dt_s, 300.0) / _DISCHARGE_S)
        new = np.where(np.isnan(old), flow, old + step * (flow - old))
        t["discharge"][rows] = np.where((lasted >= _HEAD_US) & np.isfinite(flow), new, old)

    def discharging(self, rows: Rows, flow: Array) -> Array:
        """(n,) `flow` as a share of what passes when the station is the head of a queue; NaN where it never was one."""
        return np.asarray(flow / np.maximum(self.table["discharge"][rows], 1.0))

    def turn_days(self, rows: Rows, day: Array) -> Rows:
        """Close the local days that are over; the rows where one was."""
        t = self.table
        new = day != t["day"][rows]
        turned: Rows = rows[new]
        if turned.size == 0:
            return turned
        seen = t["day"][turned] >= 0
        weight = np.where(seen, 1.0 / np.minimum(t["days"][turned] + 2.0, 6.0), 0.0)[:, None]
        heads = t["heads"][turned]
        t["heads"][turned] = heads + weight * (t["today"][turned] - heads)
        t["days"][turned] += seen
        t["today"][turned] = False
        t["day"][turned] = day[new]
        return turned

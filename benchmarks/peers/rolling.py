"""The rolling core's work done by others: ring of 60 with mean and variance, EW mean and variance, for each sensor.

`python -m benchmarks.peers.rolling NAME SENSORS READINGS` does it once and prints one JSON object. Every program gets
the same seeded readings of sensors in random order, so what it ends with can be held against what the others do.
Ours and numba's twin work as a service does, in micro-batches; river as its users would, one object a sensor; pandas
and polars get all readings at once, which is their best case and which a service cannot give them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

BATCH: Final = 10_000
RING: Final = 60
ALPHA: Final = 0.05

Rows = NDArray[np.intp]
Values = NDArray[np.float64]
Ends = tuple[float, float, float]
"""Sums over the sensors of the last mean, variance and EW mean: what the programs must agree upon."""


def feed(sensors: int, readings: int) -> tuple[Rows, Values]:
    """(n,) rows of the sensors in random order and (n,) their values, the same for the same numbers."""
    random = np.random.default_rng(1)
    return random.integers(0, sensors, readings), random.normal(50, 5, readings)


def ours(rows: Rows, values: Values, sensors: int) -> tuple[float, Ends]:
    """The windows of the service, in micro-batches."""
    from services.detect.rounds import Rounds
    from services.detect.windows.exponential import Exponential
    from services.detect.windows.rolling import Rolling

    ring, level, rounds = Rolling(RING, "f4"), Exponential(ALPHA), Rounds()
    for table in (ring.table, level.table):
        table.add(sensors)
    rounds.reserve(sensors)
    begin = time.process_time()
    for i in range(0, len(rows), BATCH):
        some, new = rows[i : i + BATCH], values[i : i + BATCH]
        for part in rounds.split(some):
            ring.push(some[part], new[part])
            level.push(some[part], new[part])
    spent = time.process_time() - begin
    seen = np.unique(rows)
    return spent, _ends(ring.mean(seen), ring.variance(seen), level.mean(seen))


def numba(rows: Rows, values: Values, sensors: int) -> tuple[float, Ends]:
    """The same arithmetic as a compiled loop over readings; compiling is not counted."""
    import numba as compiler

    @compiler.njit
    def push(some, new, ring, pushed, anchor, total, square, mean, variance, seen):  # type: ignore[no-untyped-def] # noqa: PLR0917
        width = ring.shape[1]
        for k in range(len(some)):
            row, x = some[k], np.float64(np.float32(new[k]))
            head = pushed[row] % width
            if pushed[row] == 0:
                anchor[row] = x
            now, gone = x - anchor[row], 0.0
            if pushed[row] >= width:
                gone = np.float64(ring[row, head]) - anchor[row]
            ring[row, head] = x
            total[row] += now - gone
            square[row] += now * now - gone * gone
            pushed[row] += 1
            if head == width - 1:
                middle = 0.0
                for j in range(width):
                    middle += ring[row, j]
                middle /= width
                anchor[row], total[row], square[row] = middle, 0.0, 0.0
                for j in range(width):
                    d = np.float64(ring[row, j]) - middle
                    total[row] += d
                    square[row] += d * d
            seen[row] += 1
            a = max(ALPHA, 1.0 / seen[row])
            if seen[row] == 1:
                mean[row] = new[k]
            else:
                d = new[k] - mean[row]
                mean[row] += a * d
                variance[row] = (1 - a) * (variance[row] + a * d * d)

    def state() -> list[NDArray[np.float64]]:
        return [
            np.full((sensors, RING), np.nan, np.float32), np.zeros(sensors, np.int64),
            *(np.zeros(sensors) for _ in range(5)), np.zeros(sensors, np.int32),
        ]  # fmt: skip

    push(rows[:BATCH], values[:BATCH], *state())
    arrays = state()
    begin = time.process_time()
    for i in range(0, len(rows), BATCH):
        push(rows[i : i + BATCH], values[i : i + BATCH], *arrays)
    spent = time.process_time() - begin
    _, pushed, anchor, total, square, mean, *_ = (array[np.unique(rows)] for array in arrays)
    count = np.minimum(pushed, RING)
    return spent, _ends(
        anchor + total / count, (square - total * total / count) / (count - 1), mean
    )


def river(rows: Rows, values: Values, sensors: int) -> tuple[float, Ends]:
    """Four objects of river's a sensor, updated one reading at a time."""
    from river import stats, utils

    def objects() -> tuple[object, ...]:
        return (
            utils.Rolling(stats.Mean, window_size=RING),
            utils.Rolling(stats.Var, window_size=RING),
            stats.EWMean(ALPHA),
            stats.EWVar(ALPHA),
        )

    kept = [objects() for _ in range(sensors)]
    some, new = rows.tolist(), values.tolist()
    begin = time.process_time()
    for row, value in zip(some, new, strict=True):
        for each in kept[row]:
            each.update(value)
    spent = time.process_time() - begin
    last = [[each.get() for each in kept[row]] for row in np.unique(rows)]
    return spent, _ends(*np.array(last)[:, :3].T)


def pandas(rows: Rows, values: Values, sensors: int) -> tuple[float, Ends]:
    """Rolling and EW statistics by group over all readings at once."""
    import pandas as library

    frame = library.DataFrame({"sensor": rows, "value": values})
    begin = time.process_time()
    groups = frame.groupby("sensor")["value"]
    ring = groups.rolling(RING, min_periods=1)
    level = groups.ewm(alpha=ALPHA, adjust=False)
    mean, variance, weighted, _ = ring.mean(), ring.var(), level.mean(), level.var()
    spent = time.process_time() - begin
    return spent, _ends(*(each.groupby(level=0).last() for each in (mean, variance, weighted)))


def polars(rows: Rows, values: Values, sensors: int) -> tuple[float, Ends]:
    """Rolling and EW statistics over each sensor, over all readings at once."""
    import polars as library

    frame = library.DataFrame({"sensor": rows, "value": values})
    value = library.col("value")
    begin = time.process_time()
    done = frame.with_columns(
        value.rolling_mean(RING, min_samples=1).over("sensor").alias("mean"),
        value.rolling_var(RING, min_samples=2).over("sensor").alias("variance"),
        value.ewm_mean(alpha=ALPHA, adjust=False).over("sensor").alias("weighted"),
        value.ewm_var(alpha=ALPHA, adjust=False).over("sensor").alias("spread"),
    )
    spent = time.process_time() - begin
    last = done.group_by("sensor").last()
    return spent, _ends(last["mean"], last["variance"], last["weighted"])


def _ends(mean: object, variance: object, weighted: object) -> Ends:
    sums = [float(np.nansum(np.asarray(each, float))) for each in (mean, variance, weighted)]
    return sums[0], sums[1], sums[2]


PROGRAMS: Final[Mapping[str, Callable[[Rows, Values, int], tuple[float, Ends]]]] = {
    "ours": ours,
    "numba": numba,
    "polars": polars,
    "pandas": pandas,
    "river": river,
}


def main(arguments: list[str]) -> None:
    """Do one program's work once and print seconds of processor time and what it ended with."""
    name, sensors, readings = arguments[0], int(arguments[1]), int(arguments[2])
    spent, ends = PROGRAMS[name](*feed(sensors, readings), sensors)
    print(json.dumps({"cpu_s": spent, "ends": ends}))


if __name__ == "__main__":
    main(sys.argv[1:])

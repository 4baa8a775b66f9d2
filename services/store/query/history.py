"""What was stored, asked by sensor and time: readings as they are, and the newest of each sensor.

Answers are numpy columns in pages of bounded size; where nothing was measured there is no row, never a zero. It
refuses to hold a range at once, and to summarise: `summaries.summaries` does, and `consumption.consumption` litres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import InvalidInput
from services.domain.instant import from_us, to_us
from services.store.connection import Connection
from services.store.page import check_limit, decode_cursor, encode_cursor
from services.store.query import history_statements as statements
from services.store.wire import Integers, columnar

LARGEST_PAGE: Final = 100_000
"""Rows of a page of readings."""
MOST_SENSORS: Final = 1_000
"""Sensors of one question about a range of time."""
MOST_LATEST: Final = 200_000
"""Sensors of one question about the newest readings."""


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """Readings in the order of (time, sensor), n rows.

    Attributes:
        batch: the readings; asked metrics are there even where no row has a value.
        stored_us: (n,) int64, when the transaction that stored them began, microseconds since 1970.
        next: pass it as `after` for the page that follows; None at the end. A page may hold less than its limit.
    """

    batch: ReadingBatch
    stored_us: NDArray[np.int64]
    next: str | None


class History:
    """Stored readings over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def raw(
        self,
        domain: Domain,
        sensors: Sequence[int],
        start: datetime,
        end: datetime,
        *,
        limit: int,
        metrics: Sequence[str] | None = None,
        after: str | None = None,
        stamps: bool = True,
    ) -> ReadingPage:
        """Readings observed in [start, end) that have a value of at least one of the metrics.

        Args:
            sensors: numbers, at most MOST_SENSORS.
            limit: most rows of the page, at most LARGEST_PAGE.
            metrics: column names; None for all of the domain.
            stamps: whether it matters when they were received and stored; where it does not, both are 0.

        Raises:
            InvalidInput: a metric, the limit, the range, the cursor or the number of sensors is wrong.
        """
        names = _metrics(domain, metrics)
        wanted = _numbers(sensors, MOST_SENSORS)
        check_limit(limit, LARGEST_PAGE)
        _check_range(start, end)
        after_us, after_sensor = (to_us(start), -1) if after is None else _place(after)
        # each sensor gives its first few rows; up to where the shortest of them reaches, all of them are complete
        share = min(limit + 1, 4 * limit // max(1, len(wanted)) + 16)
        parameters = {
            "sensors": Integers(wanted),
            "start": max(start, from_us(after_us)),
            "end": end,
            "after": from_us(after_us),
            "after_sensor": after_sensor,
            "share": share,
        }
        found = self._columns(statements.raw(domain, names, stamps=stamps), parameters)
        batch, stored_us = _batch(domain, names, found)
        complete, more = _complete(batch, share)
        kept = min(limit, complete)
        if kept == len(batch) and not more:
            return ReadingPage(batch, stored_us, None)
        page = batch.take(np.arange(kept))
        following = encode_cursor((int(page.observed_us[-1]), int(page.sensor[-1])))
        return ReadingPage(page, stored_us[:kept], following)

    def latest(
        self, domain: Domain, sensors: Sequence[int], *, metrics: Sequence[str] | None = None
    ) -> ReadingPage:
        """The newest reading by observed time of each sensor, in the order of (time, sensor).

        Sensors without readings are absent. At most MOST_LATEST sensors. `metrics` chooses columns only: a newest
        reading that has none of them is returned with NaN.
        """
        names = _metrics(domain, metrics)
        wanted = _numbers(sensors, MOST_LATEST)
        found = self._columns(statements.latest(domain, names), {"sensors": Integers(wanted)})
        return ReadingPage(*_batch(domain, names, found), None)

    def _columns(self, query: sql.Composed, parameters: Mapping[str, Any]) -> Sequence[Any]:
        with columnar(self._conn) as cursor:
            row = cursor.execute(query, parameters).fetchone()
        assert row is not None, "an aggregate without GROUP BY always returns a row"
        return row


def _batch(
    domain: Domain, names: Sequence[str], found: Sequence[Any]
) -> tuple[ReadingBatch, NDArray[np.int64]]:
    sensor, time, received, quality, stored, *values = found
    none = np.zeros(0 if sensor is None else len(sensor), np.int64)
    batch = ReadingBatch(
        domain,
        _column(sensor, np.int32),
        _column(time, np.int64),
        none if received is None else received,
        _column(quality, np.int16),
        {name: _column(column, np.float64) for name, column in zip(names, values, strict=True)},
    )
    return batch, none if stored is None else stored


def _column(values: NDArray[Any] | None, kind: type[np.generic]) -> NDArray[Any]:
    """The column; array_agg of no rows is NULL."""
    return np.empty(0, kind) if values is None else values


def _complete(batch: ReadingBatch, share: int) -> tuple[int, bool]:
    """How many rows come before the first sensor that gave its whole share runs out, and whether any did so."""
    reversed_sensor = batch.sensor[::-1]
    _, last, counts = np.unique(reversed_sensor, return_index=True, return_counts=True)
    cut = counts >= share
    if not cut.any():
        return len(batch), False
    reach = batch.observed_us[::-1][last[cut]].min()
    return int(np.searchsorted(batch.observed_us, reach, side="right")), True


def _metrics(domain: Domain, metrics: Sequence[str] | None) -> list[str]:
    known = CATALOGUE[domain].by_column
    names = list(known) if metrics is None else list(dict.fromkeys(metrics))
    for name in names:
        if name not in known:
            raise InvalidInput("metrics", name, f"{domain} has {', '.join(known)}")
    if not names:
        raise InvalidInput("metrics", names, f"at least one of {', '.join(known)}")
    return names


def _numbers(sensors: Sequence[int], most: int) -> NDArray[np.int32]:
    wanted = np.unique(np.asarray(sensors, np.int32))
    if len(wanted) > most:
        raise InvalidInput("sensors", len(wanted), f"at most {most} sensors in one question")
    return wanted


def _check_range(start: datetime, end: datetime) -> None:
    if to_us(start) >= to_us(end):
        raise InvalidInput("end", end.isoformat(), f"a time after {start.isoformat()}")


def _place(after: str) -> tuple[int, int]:
    us, sensor = decode_cursor(after, int, int)
    return _representable(int(us), after), int(sensor)


def _representable(us: int, after: str) -> int:
    try:
        from_us(us)
    except (OverflowError, InvalidInput):
        raise InvalidInput(
            "after", after, "the 'next' of the page before, as it was returned"
        ) from None
    return us

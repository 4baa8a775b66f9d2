"""What was stored, asked by sensor and time: readings as they are, summaries by buckets of time, the newest of each.

Answers are numpy columns in pages of bounded size; where nothing was measured there is no row, never a zero. It
refuses to hold a range at once. Summaries of many sensors come in blocks: `summaries.summaries`, and litres too:
`consumption.consumption`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
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
"""Rows of a page of readings or buckets."""
MOST_SENSORS: Final = 1_000
"""Sensors of one question about a range of time."""
MOST_LATEST: Final = 200_000
"""Sensors of one question about the newest readings."""
_DAY_S: Final = 86_400


class Aggregate(StrEnum):
    """How the values of a bucket become one; missing values take no part."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    LAST = "last"
    COUNT = "count"


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


@dataclass(frozen=True, slots=True)
class BucketPage:
    """Summaries in the order of (bucket, sensor), n rows; a bucket in which a sensor has no value at all is absent.

    Attributes:
        sensor: (n,) int32 numbers.
        bucket_us: (n,) int64, the bucket's beginning, microseconds since 1970.
        values: metric column -> aggregate -> (n,) float64; NaN where the metric has no value in the bucket (COUNT: 0).
        next: pass it as `after` for the page that follows; None at the end.
    """

    sensor: NDArray[np.int32]
    bucket_us: NDArray[np.int64]
    values: Mapping[str, Mapping[Aggregate, NDArray[np.float64]]]
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
    ) -> ReadingPage:
        """Readings observed in [start, end) that have a value of at least one of the metrics.

        Args:
            sensors: numbers, at most MOST_SENSORS.
            limit: most rows of the page, at most LARGEST_PAGE.
            metrics: column names; None for all of the domain.

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
        found = self._columns(statements.raw(domain, names), parameters)
        batch, stored_us = _batch(domain, names, found)
        complete, more = _complete(batch, share)
        kept = min(limit, complete)
        if kept == len(batch) and not more:
            return ReadingPage(batch, stored_us, None)
        page = batch.take(np.arange(kept))
        following = encode_cursor((int(page.observed_us[-1]), int(page.sensor[-1])))
        return ReadingPage(page, stored_us[:kept], following)

    def bucketed(
        self,
        domain: Domain,
        sensors: Sequence[int],
        metrics: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        bucket_s: int,
        aggregates: Sequence[Aggregate],
        limit: int,
        time_zone: str = "UTC",
        after: str | None = None,
    ) -> BucketPage:
        """Summaries of the readings observed in [start, end), by buckets of `bucket_s` seconds.

        Buckets of whole days begin at local midnight of `time_zone` (days of 23 and 25 hours where they occur; weeks
        on Monday); shorter ones are counted in UTC. The first and last bucket hold what lies inside the range.

        Raises:
            InvalidInput: as `raw`; or the limit is smaller than the number of sensors.
        """
        names = _metrics(domain, metrics)
        wanted = _numbers(sensors, MOST_SENSORS)
        check_limit(limit, LARGEST_PAGE)
        _check_range(start, end)
        kinds = list(dict.fromkeys(Aggregate(kind) for kind in aggregates))
        if not kinds:
            raise InvalidInput(
                "aggregates", list(aggregates), f"at least one of {', '.join(Aggregate)}"
            )
        if limit < len(wanted):
            raise InvalidInput(
                "limit", limit, f"at least one row for each of the {len(wanted)} sensors"
            )
        if not 1 <= bucket_s <= 366 * _DAY_S:
            raise InvalidInput("bucket_s", bucket_s, "seconds, from 1 to 366 days")
        zone = time_zone if bucket_s % _DAY_S == 0 else "UTC"
        parameters: dict[str, Any] = {
            "sensors": Integers(wanted),
            "width": timedelta(seconds=bucket_s),
            "zone": zone,
            "reach": timedelta(seconds=bucket_s) * (limit // max(1, len(wanted)) + 0.5),
            "end": end,
        }
        begin = start if after is None else max(start, from_us(_moment(after)))
        first = self._window(domain, names, {**parameters, "start": begin})
        if first is None:
            return _buckets(names, kinds, [None] * (2 + len(names) * len(kinds)), None)
        begin, until = first
        until = min(until, end)
        query = statements.bucketed(domain, names, kinds, local=zone != "UTC")
        found = self._columns(query, {**parameters, "start": begin, "until": until})
        following = (
            self._window(domain, names, {**parameters, "start": until}) if until < end else None
        )
        cursor = None if following is None else encode_cursor((to_us(following[0]),))
        return _buckets(names, kinds, found, cursor)

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

    def _window(
        self, domain: Domain, names: Sequence[str], parameters: Mapping[str, Any]
    ) -> tuple[datetime, datetime] | None:
        """From the first reading at or after `start` to where the page's last bucket ends; None without a reading."""
        with columnar(self._conn) as cursor:
            row = cursor.execute(
                statements.window(domain, names, local=parameters["zone"] != "UTC"), parameters
            ).fetchone()
        return None if row is None or row[0] is None else (row[0], row[1])

    def _columns(self, query: sql.Composed, parameters: Mapping[str, Any]) -> Sequence[Any]:
        with columnar(self._conn) as cursor:
            row = cursor.execute(query, parameters).fetchone()
        assert row is not None, "an aggregate without GROUP BY always returns a row"
        return row


def _batch(
    domain: Domain, names: Sequence[str], found: Sequence[Any]
) -> tuple[ReadingBatch, NDArray[np.int64]]:
    sensor, time, received, quality, stored, *values = found
    batch = ReadingBatch(
        domain,
        _column(sensor, np.int32),
        _column(time, np.int64),
        _column(received, np.int64),
        _column(quality, np.int16),
        {name: _column(column, np.float64) for name, column in zip(names, values, strict=True)},
    )
    return batch, _column(stored, np.int64)


def _buckets(
    names: Sequence[str], kinds: Sequence[Aggregate], found: Sequence[Any], cursor: str | None
) -> BucketPage:
    sensor, bucket, *rest = found
    columns = iter(rest)
    values = {name: {kind: _column(next(columns), np.float64) for kind in kinds} for name in names}
    return BucketPage(_column(sensor, np.int32), _column(bucket, np.int64), values, cursor)


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


def _moment(after: str) -> int:
    return _representable(int(decode_cursor(after, int)[0]), after)


def _representable(us: int, after: str) -> int:
    try:
        from_us(us)
    except (OverflowError, InvalidInput):
        raise InvalidInput(
            "after", after, "the 'next' of the page before, as it was returned"
        ) from None
    return us

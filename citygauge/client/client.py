"""The client: one method for each question. What the API does not take, it refuses in the words of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from citygauge.client import exports, live
from citygauge.client.table import Table
from citygauge.client.transport import ARROW, Transport, checked, plain

Time = datetime | str
Several = str | Sequence[str] | None
Gaps = Literal["null", "hold", "interpolate"]


class Client:
    """A connection to one Citygauge, to be used in `with`.

    Args:
        url: where it is (https://citygauge.example.org).
        key: an API key with the scope read (`citygauge keys create`).
        timeout_s: longest wait for an answer's next byte.
        attempts: how often a question is asked while the server is busy.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 60.0, attempts: int = 3) -> None:
        self._transport = Transport(url, key, timeout_s, attempts)
        self._attempts = attempts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._transport.http.close()

    def sensors(
        self,
        *,
        domain: str | None = None,
        kind: str | None = None,
        zone: str | None = None,
        road: str | None = None,
        q: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Registered sensors in the order of their ids, all pages."""
        return self._items(
            "/v1/sensors", {"domain": domain, "kind": kind, "zone": zone, "road": road, "q": q}
        )

    def alerts(self, **filters: str | None) -> Iterator[dict[str, Any]]:
        """Alerts, the newest first, all pages; filters as in GET /v1/alerts (state, rule, severity, zone...)."""
        return self._items("/v1/alerts", filters)

    def readings(
        self,
        sensor_id: Several = None,
        *,
        zone: str | None = None,
        road: str | None = None,
        direction: str | None = None,
        kind: str | None = None,
        start: Time | None = None,
        end: Time | None = None,
        metrics: Several = None,
        bucket: str | None = None,
        aggregate: Several = None,
        gaps: Gaps | None = None,
        longest_gap: str | None = None,
        compare: str | None = None,
        quality: Literal["any", "good"] | None = None,
        include: Several = None,
        time_zone: str | None = None,
    ) -> Table:
        """Readings of sensors, of a zone or of a road: raw, or in buckets with statistics.

        Args:
            start, end: [start, end), with zone; the last day by default.
            metrics: columns or short names ("flow"); all by default.
            bucket: ISO 8601 duration (PT15M, P1D); raw readings without it.
            aggregate: avg (default), min, max, sum, count, first, last, time_weighted, p05 to p99.
            gaps: null (default), hold or interpolate; what is filled is marked in columns …_imputed.
            compare: an earlier period beside the data (P7D, P1Y), in columns …_before.
            include: share, baseline (of buckets); received_at, stored_at (of raw readings).
            time_zone: whose days, weeks and months buckets are; the sensors' own by default.
        """
        return self._table(
            "/v1/readings",
            {
                "sensor_id": sensor_id,
                "zone": zone,
                "road": road,
                "direction": direction,
                "kind": kind,
                "start": start,
                "end": end,
                "metrics": metrics,
                "bucket": bucket,
                "aggregate": aggregate,
                "gaps": gaps,
                "longest_gap": longest_gap,
                "compare": compare,
                "quality": quality,
                "include": include,
                "time_zone": time_zone,
            },
        )

    def latest(
        self,
        domain: str | None = None,
        *,
        sensor_id: Several = None,
        zone: str | None = None,
        road: str | None = None,
        kind: str | None = None,
        metrics: Several = None,
    ) -> Table:
        """The newest reading of each sensor, with its age in seconds."""
        return self._table(
            "/v1/latest",
            {
                "domain": domain,
                "sensor_id": sensor_id,
                "zone": zone,
                "road": road,
                "kind": kind,
                "metrics": metrics,
            },
        )

    def consumption(
        self,
        sensor_id: Several = None,
        *,
        zone: str | None = None,
        start: Time | None = None,
        end: Time | None = None,
        bucket: str | None = None,
    ) -> Table:
        """Litres through meters by buckets (local days by default), rollovers and exchanges understood."""
        return self._table(
            "/v1/consumption",
            {"sensor_id": sensor_id, "zone": zone, "start": start, "end": end, "bucket": bucket},
        )

    def contour(
        self,
        road: str,
        direction: str | None = None,
        *,
        start: Time | None = None,
        end: Time | None = None,
        bucket: str | None = None,
    ) -> Table:
        """Mean speed of every station of a road in every step of time, in the order of travel."""
        return self._place("/v1/roads/contour", start, end, bucket, road=road, direction=direction)

    def travel_time(
        self,
        road: str,
        direction: str | None = None,
        *,
        start: Time | None = None,
        end: Time | None = None,
        bucket: str | None = None,
        free_speed_km_per_h: float | None = None,
    ) -> Table:
        """Travel time, travel time without traffic, and delay of a road in every step of time."""
        return self._place(
            "/v1/roads/travel-time",
            start,
            end,
            bucket,
            road=road,
            direction=direction,
            free_speed_km_per_h=free_speed_km_per_h,
        )

    def balance(
        self,
        zone: str,
        *,
        start: Time | None = None,
        end: Time | None = None,
        bucket: str | None = None,
    ) -> Table:
        """Inflow, outflow, storage, metered litres and what no meter saw, of a zone by buckets."""
        return self._place("/v1/zones/balance", start, end, bucket, zone=zone)

    def night_flow(
        self,
        zone: str,
        *,
        start: Time | None = None,
        end: Time | None = None,
        first_hour: int | None = None,
        last_hour: int | None = None,
    ) -> Table:
        """The lowest and the mean net inflow of each local night of a zone."""
        return self._place(
            "/v1/zones/night-flow",
            start,
            end,
            None,
            zone=zone,
            first_hour=first_hour,
            last_hour=last_hour,
        )

    def export(
        self,
        path: str | Path,
        *,
        domain: str,
        start: Time,
        end: Time,
        format: Literal["parquet", "arrow", "csv", "ndjson"] = "parquet",
        poll_s: float = 1.0,
        on_progress: Callable[[float], None] = lambda share: None,
        **order: Any,
    ) -> Path:
        """Write any number of readings to a file: ask for it, wait, fetch it, check it.

        Args:
            path: of the file; it appears when it is complete.
            order: the other fields of POST /v1/exports: sensor_id, zone, road, metrics, bucket, aggregate, quality.
            on_progress: hears of 0 to 1.

        Raises:
            ExportFailed: the server could not make it. DownloadDamaged: it arrived with another SHA-256.
        """
        whole = {**order, "domain": domain, "start": start, "end": end, "format": format}
        return exports.export(
            self._transport,
            Path(path),
            whole,
            poll_s=poll_s,
            on_progress=on_progress,
            attempts=self._attempts,
        )

    def follow(
        self, topic: Literal["alerts", "readings"], *, after: str | None = None, **filters: Any
    ) -> Iterator[live.LiveEvent]:
        """Events as they happen, until the server ends the stream (a quarter of an hour) or the caller stops.

        To go on, call it again with `after`: the id of the last event that you have.
        """
        headers = {} if after is None else {"Last-Event-ID": after}
        address = f"/v1/{topic}/stream"
        with self._transport.http.stream(
            "GET", address, params=plain(filters), headers=headers
        ) as answer:
            if not answer.is_success:
                answer.read()
            checked(answer)
            yield from live.events(answer.iter_lines())

    def _place(
        self, path: str, start: Time | None, end: Time | None, bucket: str | None, **more: Any
    ) -> Table:
        return self._table(path, {"start": start, "end": end, "bucket": bucket, **more})

    def _table(self, path: str, params: Mapping[str, Any]) -> Table:
        answer = self._transport.get(path, params, Accept=ARROW)
        return Table.of_stream(answer.content)

    def _items(self, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._transport.get(path, {**params, "limit": 1000, "after": after}).json()
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

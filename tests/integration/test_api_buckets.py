"""Readings in buckets over HTTP: many sensors, statistics, gaps, what is usual, what was before, in every form."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from tests.api_server import STATION, Api, new_key, register, serving, store

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = Sensor(
    "A-1", SensorKind.WATER_METER, zone="Zone 3", time_zone="Europe/Madrid", cadence_s=3600.0
)
FIRST = Sensor(
    "B-2", SensorKind.WATER_METER, zone="Zone 3", time_zone="Europe/Madrid", cadence_s=3600.0
)
WEEKS = 10


@pytest.fixture(scope="module")
def weeks(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[Api]:
    """Ten weeks of two meters by the hour: hour of the week, plus the week times 1,000; the third hour is missing."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [FIRST, SECOND, STATION])
    for sensor, factor in ((FIRST, 1.0), (SECOND, 2.0)):
        hours = [h for h in range(WEEKS * 168) if h % 168 != 2]
        times = [MONDAY + timedelta(hours=h) for h in hours]
        flow = [factor * (h % 168 + 1000 * (h // 168)) for h in hours]
        store(url, sensor, numbers[sensor.id], times, flow_litres_per_h=flow)
    with serving(url) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def reader(weeks: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with weeks.client(new_key(weeks.database_url, "read", name="reader")) as client:
        yield client


def text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def asked(start: datetime, hours: int, **more: object) -> dict[str, Any]:
    return {
        "start": text(start),
        "end": text(start + timedelta(hours=hours)),
        "metrics": "flow",
        "bucket": "PT1H",
        **more,
    }


LAST = MONDAY + timedelta(weeks=WEEKS - 1, days=7) - timedelta(days=7)
ONE = f"/v1/sensors/{FIRST.id}/readings"


def test_a_zone_in_one_question_with_several_statistics(reader: httpx.Client) -> None:
    params = asked(MONDAY, 24, zone="Zone 3", bucket="PT12H", aggregate=["min", "max", "p50"])
    answer = reader.get("/v1/readings", params=params).json()
    assert answer["aggregate"] == "min,max,p50"
    columns = answer["columns"]
    assert list(columns) == [
        "time",
        "sensor_id",
        "flow_litres_per_h_min",
        "flow_litres_per_h_max",
        "flow_litres_per_h_p50",
    ]
    rows = list(zip(*columns.values(), strict=True))
    morning = [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (text(MONDAY), FIRST.id, 0.0, 11.0, float(np.median(morning))) in rows
    assert (text(MONDAY + timedelta(hours=12)), SECOND.id, 24.0, 46.0, 35.0) in rows
    assert len(rows) == 4


def test_a_streamed_form_gives_one_sensor_after_the_other(reader: httpx.Client) -> None:
    params = asked(MONDAY, 6, zone="Zone 3", format="csv")
    rows = list(csv.DictReader(io.StringIO(reader.get("/v1/readings", params=params).text)))
    assert [row["sensor_id"] for row in rows] in (
        [FIRST.id] * 6 + [SECOND.id] * 6,
        [SECOND.id] * 6 + [FIRST.id] * 6,
    )
    found = {(row["sensor_id"], row["time"]): row["flow_litres_per_h"] for row in rows}
    assert found[SECOND.id, "2026-03-02T05:00:00Z"] == "10.0"
    assert found[SECOND.id, "2026-03-02T02:00:00Z"] == ""


@pytest.mark.parametrize(("gaps", "value"), [("null", None), ("hold", 1.0), ("interpolate", 2.0)])
def test_a_gap_shows_what_the_caller_chose_and_says_so(
    reader: httpx.Client, gaps: str, value: float | None
) -> None:
    columns = reader.get(ONE, params=asked(MONDAY, 5, gaps=gaps, include="share")).json()["columns"]
    assert columns["flow_litres_per_h"] == [0.0, 1.0, value, 3.0, 4.0]
    if value is not None:
        assert columns["flow_litres_per_h_imputed"] == [False, False, True, False, False]
    assert columns["flow_litres_per_h_share"] == [1.0, 1.0, 0.0, 1.0, 1.0]
    short = asked(MONDAY, 5, gaps="hold", longest_gap="PT1H")
    assert reader.get(ONE, params=short).json()["columns"]["flow_litres_per_h"][2] is None


def test_the_week_before_stands_beside_the_data_at_the_same_local_time(
    reader: httpx.Client,
) -> None:
    # Madrid's clocks go forward on 29 March: local hour h of the week before is an hour later in UTC
    before = datetime(2026, 3, 30, 6, tzinfo=UTC)
    columns = reader.get(ONE, params=asked(before, 2, compare="P7D")).json()["columns"]
    assert columns["flow_litres_per_h"] == [4006.0, 4007.0]
    assert columns["flow_litres_per_h_before"] == [3007.0, 3008.0]
    year = reader.get(ONE, params=asked(before, 2, compare="P1Y")).json()["columns"]
    assert year["flow_litres_per_h_before"] == [None, None]


def test_the_usual_band_is_that_of_the_same_hour_of_the_week(reader: httpx.Client) -> None:
    columns = reader.get(ONE, params=asked(LAST, 3, include="baseline")).json()["columns"]
    # eight weeks before the tenth one: weeks 1 to 8 by number, all with summer time or all but the first few
    weeks = [1000.0 * week for week in range(1, 9)]
    summer = MONDAY + timedelta(days=27)
    shifted = [
        value + (1.0 if MONDAY + timedelta(weeks=value / 1000) < summer else 0.0) for value in weeks
    ]
    for name, share in (("usual_low", 0.1), ("usual", 0.5), ("usual_high", 0.9)):
        expected = float(np.quantile(shifted, share))
        assert columns[f"flow_litres_per_h_{name}"][0] == pytest.approx(expected), name
    early = reader.get(ONE, params=asked(MONDAY + timedelta(weeks=2), 2, include="baseline"))
    assert early.json()["columns"]["flow_litres_per_h_usual"] == [None, None]


@pytest.mark.parametrize(
    ("bucket", "times"),
    [
        ("P1D", ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]),
        ("P1W", ["2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"]),
        ("P1M", ["2026-02-28T23:00:00Z"]),
    ],
)
def test_days_weeks_and_months_are_local(
    reader: httpx.Client, bucket: str, times: list[str]
) -> None:
    start = datetime(2026, 3, 27, 23, tzinfo=UTC)
    params = asked(start, 71, bucket=bucket, aggregate="count")
    columns = reader.get(ONE, params=params).json()["columns"]
    assert columns["time"] == times
    if bucket == "P1D":
        assert columns["flow_litres_per_h"] == [24.0, 23.0, 23.0]  # and one is missing


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"longest_gap": "PT1H"}, "longest_gap"),
        ({"gaps": "guess"}, "gaps"),
        ({"compare": "PT1H"}, "compare"),
        ({"compare": "yesterday"}, "compare"),
        ({"include": "stored_at"}, "include"),
        ({"include": "baseline", "bucket": "P1M"}, "include"),
        ({"aggregate": "p51"}, "aggregate.0"),
        ({"after": "abc"}, "after"),
        ({"bucket": "PT1S", "end": "2027-03-02T00:00:00Z"}, "bucket"),
        ({"bucket": "PT1S", "end": "2027-03-02T00:00:00Z", "format": "csv"}, "bucket"),
    ],
)
def test_a_wrong_choice_is_named(reader: httpx.Client, more: dict[str, str], field: str) -> None:
    answer = reader.get(ONE, params={**asked(MONDAY, 5), **more})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert answer.json()["allowed"]


@pytest.mark.parametrize("more", [{"gaps": "hold"}, {"compare": "P7D"}, {"include": "share"}])
def test_what_only_buckets_have_is_refused_of_raw_readings(
    reader: httpx.Client, more: dict[str, str]
) -> None:
    answer = reader.get(ONE, params={"start": text(MONDAY), "end": text(LAST), **more})
    assert answer.status_code == 422
    assert answer.json()["field"] == next(iter(more))


def test_days_are_those_of_the_zone_asked_for(reader: httpx.Client) -> None:
    params = asked(MONDAY, 48, bucket="P1D", aggregate="count", time_zone="America/New_York")
    columns = reader.get(ONE, params=params).json()["columns"]
    assert columns["time"] == [
        "2026-03-01T05:00:00Z",
        "2026-03-02T05:00:00Z",
        "2026-03-03T05:00:00Z",
    ]
    for name in ("Mars/Olympus", "../etc/passwd"):
        refused = reader.get(ONE, params={**params, "time_zone": name})
        assert refused.status_code == 422
        assert refused.json()["field"] == "time_zone"
        assert "Europe/Madrid" in refused.json()["allowed"]

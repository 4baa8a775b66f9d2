"""The client against a running API: numpy, pandas and polars, refusals, exports, live events; and its notebook runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from citygauge.client import (
    CitygaugeApiError,
    Client,
    DownloadDamaged,
    ExportFailed,
    Table,
    exports,
)
from services.domain.catalogue import SensorKind
from services.domain.sensor import Sensor
from services.embedded.database import EmbeddedDatabase
from tests.api_server import Api, new_key, register, say, serving, store

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "history.ipynb"
START = datetime(2026, 2, 23, tzinfo=UTC)
HOURS = 14 * 24
WEEK = {"start": START + timedelta(days=7), "end": START + timedelta(days=14)}


def of_zone(id_: str, kind: SensorKind) -> Sensor:
    return Sensor(id_, kind, zone="Zone 3", cadence_s=3600.0, time_zone="Europe/Madrid")


METERS = [of_zone("M-1", SensorKind.WATER_METER), of_zone("M-2", SensorKind.WATER_METER)]
INLET = of_zone("IN-1", SensorKind.DMA_INLET)
STATIONS = [
    Sensor(
        f"T-{i}",
        SensorKind.TRAFFIC_STATION,
        road="M-30",
        direction="north",
        position_m=500.0 * i,
        cadence_s=3600.0,
        time_zone="Europe/Madrid",
    )
    for i in range(3)
]


@pytest.fixture(scope="module")
def served(
    database_server: EmbeddedDatabase,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """Two weeks of two meters, their inlet and a road, by the hour; one hour of the second week is missing."""
    url = database_server.clone(migrated_template)
    numbers = register(url, [*METERS, INLET, *STATIONS])
    hours = [h for h in range(HOURS) if h != 200]
    times = [START + timedelta(hours=h) for h in hours]
    for meter in METERS:
        store(
            url,
            meter,
            numbers[meter.id],
            times,
            flow_litres_per_h=[float(h) for h in hours],
            register_litres=[500_000.0 + 10 * h for h in hours],
        )
    inflow = [900_000.0 + 30 * h for h in range(HOURS)]
    every = [START + timedelta(hours=h) for h in range(HOURS)]
    store(url, INLET, numbers[INLET.id], every, register_litres=inflow)
    for station in STATIONS:
        store(url, station, numbers[station.id], every, speed_km_per_h=[80.0] * HOURS)
    folder = tmp_path_factory.mktemp("exports")
    with serving(url, export_folder=str(folder), export_poll_s=0.1) as api:
        yield api
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def key(served: Api) -> str:
    return new_key(served.database_url, "read", name="client")


@pytest.fixture
def city(served: Api, key: str) -> Iterator[Client]:
    with Client(served.url, key) as client:
        yield client


def readings(city: Client) -> Table:
    return city.readings(
        zone="Zone 3", kind="water_meter", metrics="flow", bucket="PT1H", gaps="hold", **WEEK
    )


def test_an_answer_is_numpy_pandas_and_polars(city: Client) -> None:
    table = readings(city)
    assert len(table) == 2 * 168
    assert table.units == {"flow_litres_per_h": "L/h"}
    assert table.about["bucket"] == "PT1H"
    assert "flow_litres_per_h_imputed" in repr(table)
    columns = table.to_numpy()
    assert columns["time"].dtype == np.dtype("datetime64[us]")
    assert columns["time"][0] == np.datetime64("2026-03-02T00:00:00")
    assert set(columns["sensor_id"]) == {"M-1", "M-2"}
    assert columns["flow_litres_per_h"][32] == 199.0
    assert columns["flow_litres_per_h_imputed"].sum() == 2
    frame = table.to_pandas()
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    assert frame["flow_litres_per_h"].sum() == columns["flow_litres_per_h"].sum()
    kept = table.to_polars()
    assert isinstance(kept, polars.DataFrame)
    assert kept["flow_litres_per_h"].sum() == columns["flow_litres_per_h"].sum()


def test_missing_values_are_nan_and_never_zero(city: Client) -> None:
    table = city.readings("M-1", metrics="flow", bucket="PT1H", **WEEK)
    flow = table.to_numpy()["flow_litres_per_h"]
    assert np.isnan(flow).sum() == 1
    assert table.arrow["flow_litres_per_h"].null_count == 1


def test_a_refusal_says_what_would_do(city: Client, served: Api) -> None:
    with pytest.raises(CitygaugeApiError) as refused:
        city.readings("M-1", bucket="PT0S")
    assert (refused.value.status, refused.value.field) == (422, "bucket")
    assert "ISO 8601" in (refused.value.allowed or "")
    with pytest.raises(CitygaugeApiError, match="ghost"):
        city.readings("ghost")
    with pytest.raises(ValueError, match="zone"):
        city.readings("M-1", start=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused
    with Client(served.url, "cg_wrong") as stranger, pytest.raises(CitygaugeApiError) as unknown:
        next(stranger.sensors())
    assert unknown.value.status == 401


def test_lists_are_followed_to_their_end(city: Client, served: Api) -> None:
    assert [each["id"] for each in city.sensors(zone="Zone 3")] == ["IN-1", "M-1", "M-2"]
    alert = say(served.database_url, subject="M-1")
    assert str(alert.id) in {each["id"] for each in city.alerts(subject="M-1")}


def test_an_export_is_fetched_in_parts_and_checked(
    city: Client, served: Api, tmp_path: Path
) -> None:
    told: list[float] = []
    path = city.export(
        tmp_path / "week.csv",
        domain="water",
        format="csv",
        metrics=["flow"],
        poll_s=0.05,
        on_progress=told.append,
        **WEEK,
    )
    whole = path.read_bytes()
    assert whole.count(b"\r\n") == 1 + 2 * 167
    assert told[-1] == 1.0
    assert [each.name for each in tmp_path.iterdir()] == ["week.csv"]
    job = city._transport.get("/v1/exports").json()["items"][0]
    partial = tmp_path / "rest.part"
    partial.write_bytes(whole[:1000])
    exports._fetch(city._transport, job, partial)
    assert partial.read_bytes() == whole
    damaged = {**job, "sha256": "0" * 64}
    with pytest.raises(DownloadDamaged):
        _with_job(city, damaged, tmp_path / "damaged.csv")
    assert not (tmp_path / "damaged.csv").exists()
    with pytest.raises(ExportFailed, match="cancelled"):
        _with_job(city, {**job, "state": "cancelled"}, tmp_path / "none.csv")


def _with_job(city: Client, job: dict[str, Any], path: Path) -> None:
    """What the client does when the server answers with this job."""

    class Answer:
        def json(self) -> dict[str, Any]:
            return job

    class Transport:
        http = city._transport.http

        def send(self, method: str, path: str, body: object) -> Answer:
            return Answer()

    exports.export(
        Transport(),  # type: ignore[arg-type]
        path,
        {},
        poll_s=0.0,
        on_progress=lambda share: None,
        attempts=1,
    )


def test_events_are_followed_and_resumed(city: Client, served: Api) -> None:
    first = say(served.database_url, subject="live-1")
    found = city.follow("alerts", after="0", subject="live-1")
    event = next(found)
    assert event.data["alert"]["id"] == str(first.id)
    found.close()
    second = say(served.database_url, subject="live-2")
    again = city.follow("alerts", after=event.id)
    assert next(again).data["alert"]["id"] == str(second.id)
    again.close()
    with pytest.raises(CitygaugeApiError, match="ghost"):
        next(city.follow("readings", sensor_id="ghost"))


def test_the_notebook_runs(
    served: Api, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CITY_URL", served.url)
    monkeypatch.setenv("CITY_KEY", key)
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells), "commit the notebook without outputs"
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{NOTEBOOK.name} {cell['id']}", "exec"), names)
    printed = capsys.readouterr().out
    assert "6 sensors, the first is IN-1" in printed
    assert "334 rows" in printed
    assert "bucket - a length from 1 second" in printed
    assert names["balance"]["balance_litres"].iloc[1] == pytest.approx(24 * 10.0)
    assert names["delay"]["delay_s"].max() == 0.0

"""Exports: a file of any number of readings, made in the background, fetched in parts, checked, and gone in time."""

import base64
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from services.api.history import export_files, export_runner
from services.api.history.export_orders import ExportOrder, plan
from services.embedded.database import EmbeddedDatabase
from services.store import lost_jobs
from services.store.connection import connect
from services.store.query.exports import ExportRepository, JobState, Written
from tests.api_server import METER, STATION, Api, new_key, register, serving, store
from tests.waiting import PATIENCE_S, wait_until

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 3000
ORDER: dict[str, Any] = {
    "domain": "water",
    "start": "2025-12-01T00:00:00Z",
    "end": "2026-02-01T00:00:00Z",
    "metrics": ["flow"],
}


@pytest.fixture(scope="module")
def filled(database_server: EmbeddedDatabase, migrated_template: str) -> Iterator[str]:
    """The address of a database with three thousand minutes of one meter, after a hole of two days in the middle."""
    url = database_server.clone(migrated_template)
    number = register(url, [METER, STATION])[METER.id]
    times = [START + timedelta(minutes=i + (2880 if i > 1500 else 0)) for i in range(MINUTES)]
    store(url, METER, number, times, flow_litres_per_h=[float(i) for i in range(MINUTES)])
    yield url
    database_server.drop(url.rpartition("/")[2])


@pytest.fixture
def apart(database_url: str) -> str:
    """The address of a database of its own with as many minutes, so that no other worker takes its jobs."""
    number = register(database_url, [METER])[METER.id]
    times = [START + timedelta(minutes=i) for i in range(MINUTES)]
    store(database_url, METER, number, times, flow_litres_per_h=[1.0] * MINUTES)
    return database_url


@pytest.fixture(scope="module")
def served(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API, looking for exports often."""
    folder = tmp_path_factory.mktemp("exports")
    with serving(filled, export_folder=str(folder), export_poll_s=0.1) as api:
        yield api


@pytest.fixture(scope="module")
def client(served: Api) -> Iterator[httpx.Client]:
    """A client that may read."""
    with served.client(new_key(served.database_url, "read", name="reader")) as found:
        yield found


def finished(client: httpx.Client, order: dict[str, Any]) -> dict[str, Any]:
    """The export, once it has ended."""
    asked = client.post("/v1/exports", json=order)
    assert asked.status_code == 202, asked.text
    address = asked.headers["location"]
    found: list[dict[str, Any]] = []

    def ended() -> bool:
        found.append(client.get(address).json())
        return found[-1]["state"] not in {"waiting", "running"}

    wait_until(ended, what="the export to end")
    return found[-1]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson", "arrow"])
def test_a_file_is_made_whole_and_can_be_checked(client: httpx.Client, form: str) -> None:
    job = finished(client, {**ORDER, "format": form})
    assert (job["state"], job["progress"], job["rows"]) == ("done", 1.0, MINUTES)
    file = client.get(job["file"])
    assert file.status_code == 200
    assert len(file.content) == job["bytes"]
    digest = hashlib.sha256(file.content).digest()
    assert job["sha256"] == digest.hex()
    assert file.headers["etag"] == f'"{digest.hex()}"'
    assert file.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    if form == "parquet":
        table = pq.read_table(io.BytesIO(file.content))
        assert table["flow_litres_per_h"].to_pylist() == [float(i) for i in range(MINUTES)]
        assert set(table["sensor_id"].to_pylist()) == {METER.id}
    if form == "csv":
        assert file.text.count("\r\n") == MINUTES + 1


def test_a_download_goes_on_where_it_broke_off(client: httpx.Client) -> None:
    job = finished(client, {**ORDER, "format": "csv"})
    whole = client.get(job["file"]).content
    begin = client.get(job["file"], headers={"Range": "bytes=0-99"})
    tag = begin.headers["etag"]
    rest = client.get(job["file"], headers={"Range": "bytes=100-", "If-Range": tag})
    assert (begin.status_code, rest.status_code) == (206, 206)
    assert begin.headers["content-range"] == f"bytes 0-99/{len(whole)}"
    assert begin.content + rest.content == whole
    assert client.get(job["file"], headers={"Range": "bytes=-10"}).content == whole[-10:]
    other = client.get(job["file"], headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole)
    behind = client.get(job["file"], headers={"Range": f"bytes={len(whole)}-"})
    assert behind.status_code == 416
    assert str(len(whole)) in behind.json()["detail"]
    assert client.get(job["file"], headers={"If-None-Match": tag}).status_code == 304


def test_buckets_are_exported_too(client: httpx.Client) -> None:
    order = {**ORDER, "bucket": "P1D", "aggregate": ["max", "count"], "format": "parquet"}
    job = finished(
        client, {**order, "start": "2025-12-31T23:00:00Z", "end": "2026-01-01T23:00:00Z"}
    )
    table = pq.read_table(io.BytesIO(client.get(job["file"]).content)).to_pydict()
    assert table["flow_litres_per_h_max"] == [1379.0]
    assert table["flow_litres_per_h_count"] == [1380.0]


def test_a_deleted_export_is_gone_and_listed(client: httpx.Client, served: Api) -> None:
    job = finished(client, ORDER)
    assert client.delete(f"/v1/exports/{job['id']}").status_code == 204
    assert client.delete(f"/v1/exports/{job['id']}").status_code == 204
    gone = client.get(job["file"] or f"/v1/exports/{job['id']}/file")
    assert gone.status_code == 404
    assert "expired" in gone.json()["detail"]
    page = client.get("/v1/exports", params={"limit": 1}).json()
    assert page["items"][0]["id"] == job["id"]
    assert page["items"][0]["state"] == "expired"
    following = client.get("/v1/exports", params={"limit": 1, "after": page["next"]}).json()
    assert following["items"][0]["id"] != job["id"]


def test_only_who_asked_for_an_export_deletes_it_or_who_operates(
    client: httpx.Client, served: Api
) -> None:
    url = served.database_url
    address = f"/v1/exports/{finished(client, ORDER)['id']}"
    with (
        served.client(new_key(url, "read", name="somebody else")) as other,
        served.client(new_key(url, "operate", name="operates")) as operator,
    ):
        refused = other.delete(address)
        assert (refused.status_code, "operate" in refused.json()["detail"]) == (403, True)
        assert client.get(address).json()["state"] == "done"
        assert operator.delete(address).status_code == 204
    assert client.get(address).json()["state"] == "expired"


@pytest.mark.parametrize(
    ("wrong", "status", "word"),
    [
        ({"format": "json"}, 422, "parquet"),
        ({"end": "2025-12-01T00:00:00Z"}, 422, "after start"),
        ({"sensor_id": ["ghost", "phantom"]}, 404, "phantom"),
        ({"sensor_id": [STATION.id]}, 422, "water"),
        ({"zone": "Atlantis"}, 404, "Atlantis"),
        ({"aggregate": ["max"]}, 422, "bucket"),
        ({"include": ["share"]}, 422, "received_at"),
        ({"metrics": ["speed"]}, 422, "register_litres"),
        ({"bucket": "PT1S", "end": "2027-01-01T00:00:00Z"}, 422, "bucket"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_wrong_order_is_refused_at_once(
    client: httpx.Client, wrong: dict[str, Any], status: int, word: str
) -> None:
    refused = client.post("/v1/exports", json={**ORDER, **wrong})
    assert refused.status_code == status, refused.text
    assert word in refused.text


def test_unknown_exports(client: httpx.Client) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    for path in (f"/v1/exports/{nobody}", f"/v1/exports/{nobody}/file"):
        assert client.get(path).status_code == 404
    assert client.delete(f"/v1/exports/{nobody}").status_code == 404
    assert client.get("/v1/exports", params={"after": "WyJhIiwiYiJd"}).status_code == 422


def test_a_job_survives_its_worker(
    apart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker took the job and was killed; the next API begins it anew when the dead one has been silent."""
    with connect(apart, "test", autocommit=True) as connection:
        repository = ExportRepository(connection)
        job = repository.add({**ORDER, "format": "csv"}, "test", most=10)
        assert job is not None
        taken = repository.take("a worker that is dead")
        assert taken is not None
        assert repository.take("another") is None
        (tmp_path / f"{job.id}.csv.0a1b2c3d.part").write_text("what the dead one had written")
        monkeypatch.setattr(lost_jobs, "ALIVE", timedelta(seconds=0.5))
        with serving(apart, export_folder=str(tmp_path), export_poll_s=0.1):
            wait_until(lambda: repository.get(job.id).state is JobState.DONE, what="the export")
        written = Written(0.5, 1, 1)
        assert not repository.beat(job.id, "a worker that is dead", written)
    assert [path.suffix for path in tmp_path.iterdir()] == [".csv"]


def test_the_disk_is_bounded_and_files_expire(apart: str, tmp_path: Path) -> None:
    secret = new_key(apart, "read", name="bounded")
    limits = {"export_disk_bytes": 1000, "export_keep_hours": 1e-9, "export_poll_s": 0.1}
    with (
        serving(apart, export_folder=str(tmp_path), **limits) as api,
        api.client(secret) as client,
    ):
        large = finished(client, {**ORDER, "format": "csv"})
        assert large["state"] == "failed"
        assert "1,000 bytes" in large["problem"]
        refused = client.get(f"/v1/exports/{large['id']}/file")
        assert refused.status_code == 409
        small = {**ORDER, "format": "csv", "start": "2026-01-31T00:00:00Z"}
        done = finished(client, small)
        assert done["state"] in {"done", "expired"}
        wait_until(lambda: not list(tmp_path.iterdir()), what="the file to be deleted")


def test_exports_wait_in_a_bounded_line(apart: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_runner.ExportRunner, "start", lambda self: None)
    monkeypatch.setattr(export_runner.ExportRunner, "stop", lambda self: None)
    secret = new_key(apart, "read", name="in line")
    with serving(apart, export_jobs=1) as api, api.client(secret) as client:
        first = client.post("/v1/exports", json=ORDER)
        second = client.post("/v1/exports", json=ORDER)
        assert (first.status_code, second.status_code) == (202, 503)
        assert second.headers["retry-after"]
        early = client.get(f"{first.headers['location']}/file")
        assert (early.status_code, "waiting" in early.text) == (409, True)
        client.delete(first.headers["location"])
        assert client.get(first.headers["location"]).json()["state"] == "cancelled"


def test_nothing_is_left_of_a_file_that_could_not_be_written(filled: str, tmp_path: Path) -> None:
    with connect(filled, "test", autocommit=True) as connection:
        made = plan(connection, ExportOrder.model_validate({**ORDER, "format": "csv"}))
        with pytest.raises(export_files.NoRoom):
            export_files.write(made, [connection], tmp_path / "x.csv", room_bytes=100)
    assert not list(tmp_path.iterdir())


def test_nobody_waits_for_what_an_export_does_not_need(filled: str, tmp_path: Path) -> None:
    """A web framework and pandas, which pyarrow takes along where it is installed, take longer than a small file."""
    code = """if True:
        import sys
        from services.cli import main
        try:
            main()
        finally:
            heavy = {"fastapi", "starlette", "pandas", "pyarrow.compute", "rich.progress"}
            print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
    """
    asked = ("--domain", "water", "--start", ORDER["start"], "--end", ORDER["end"])
    done = subprocess.run(
        [sys.executable, "-c", code, "export", "out.parquet", *asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
        cwd=tmp_path,
        env={
            "DATABASE_URL": filled,
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    assert done.stderr.split() == []
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == MINUTES


def test_the_command_does_the_same(filled: str, tmp_path: Path) -> None:
    def run(*more: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", "export", *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env={"DATABASE_URL": filled, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    asked = ("--domain", "water", "--start", ORDER["start"], "--end", ORDER["end"])
    said = run("out.csv", *asked, "--metric", "flow")
    data = (tmp_path / "out.csv").read_bytes()
    assert hashlib.sha256(data).hexdigest() in said
    assert f"{MINUTES:,} rows" in said
    assert data.count(b"\r\n") == MINUTES + 1
    assert "--replace" in run("out.csv", *asked, status=2)
    assert ".parquet" in run("out.xlsx", *asked, status=2)
    assert "--start" in run(
        "new.csv", "--domain", "water", "--start", "soon", "--end", ORDER["end"], status=2
    )

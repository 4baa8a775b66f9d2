"""What holds for every request: problems, safety headers, health, metrics, files of the console, limits."""

import logging
import socket
import threading
import uuid

import httpx
import pytest

from services.api.problems import KINDS
from services.api.service import _listen, run
from services.api.settings import ApiSettings
from services.domain import errors
from services.domain.errors import SettingError
from services.embedded.database import EmbeddedDatabase
from services.store.connection import connect
from services.store.migrations import migrate
from tests.api_server import Api, new_key, serving
from tests.waiting import wait_until

PROBLEM = "application/problem+json"


def test_every_domain_error_has_its_status() -> None:
    own = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.CitygaugeError)
    }
    never_at_this_border = {errors.CitygaugeError, errors.SettingError, errors.UnknownKey}
    assert own - never_at_this_border <= set(KINDS)


def test_unknown_addresses_and_methods_are_problems(reader: httpx.Client) -> None:
    for path in ("/nowhere", "/v1/nothing", "/assets/../settings.py", "/assets/nothing.js"):
        answer = reader.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    answer = reader.delete("/v1/sensors")
    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert answer.headers["allow"] == "GET"


def test_bodies_that_are_no_json_are_named(api: Api, operator: httpx.Client) -> None:
    path = "/v1/alerts/00000000-0000-0000-0000-000000000000/resolve"
    kind = {"Content-Type": "application/json"}
    for body in (b"{", b"\xff\xfe", b"[1", b'"text"', b""):
        answer = operator.post(path, content=body, headers=kind)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM), body
        if body in (b"{", b"\xff\xfe", b"[1"):
            said = answer.json()
            assert (said["field"], said["detail"]) == (
                "body",
                "body: a body of valid JSON in UTF-8",
            )
    large = operator.post(path, content=b" " * 70_000, headers=kind)
    assert (large.status_code, large.headers["content-type"]) == (413, PROBLEM)
    assert "at most 65,536 bytes: ask for less" in large.json()["detail"]


def test_many_things_may_be_named_where_many_are_taken(operator: httpx.Client) -> None:
    alerts = [{"id": str(uuid.uuid4()), "expected_version": 100} for _ in range(1000)]
    answer = operator.post("/v1/alerts/changes", json={"change": "acknowledged", "alerts": alerts})
    assert answer.status_code == 200, answer.text
    assert {item["status"] for item in answer.json()["items"]} == {404}
    order = {"domain": "water", "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    ids = [f"{n:05}-{'x' * 90}" for n in range(10_000)]
    answer = operator.post("/v1/exports", json=order | {"sensor_id": ids})
    assert answer.status_code == 404, answer.text
    assert "and 9980 others are not registered" in answer.json()["detail"]
    refused = operator.post("/v1/exports", content=b" " * 3_000_000)
    assert (refused.status_code, refused.headers["content-type"]) == (413, PROBLEM)


def test_an_unexpected_error_tells_nothing_but_the_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(api.database_url, "test", autocommit=True) as connection:
        secret = new_key(api.database_url, "read")
        connection.execute("ALTER TABLE sensor RENAME COLUMN zone TO secret_zone")
    with api.client(secret) as client, caplog.at_level(logging.ERROR, "citygauge.api"):
        answer = client.get("/v1/sensors")
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "zone" not in answer.text
    assert any("request failed path=/v1/sensors" in record.message for record in caplog.records)


def test_headers_of_safety(reader: httpx.Client) -> None:
    for path in ("/", "/login", "/docs"):
        page = reader.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<script>" not in page.text
        assert " style=" not in page.text
        assert "//" not in page.text.replace("<!--", "")
    for path in ("/", "/v1/sensors", "/nowhere", "/healthz", "/assets/console.js"):
        assert reader.get(path).headers["x-content-type-options"] == "nosniff"
    assert reader.get("/v1/sensors").headers["cache-control"] == "no-store"


def test_files_are_revalidated_and_compressed(api: Api) -> None:
    with api.client() as client:
        first = client.get("/assets/console.css")
        assert first.headers["content-encoding"] == "gzip"
        assert first.headers["content-type"] == "text/css; charset=utf-8"
        plain = client.get("/assets/console.css", headers={"Accept-Encoding": "identity"})
        assert plain.text == first.text
        again = client.get("/assets/console.css", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304


def test_metrics_count_by_route_template(reader: httpx.Client) -> None:
    for sensor in ("a", "b", "c"):
        reader.get(f"/v1/sensors/{sensor}")
    reader.get("/whatever")
    text = reader.get("/metrics").text
    route = 'method="GET",route="/v1/sensors/{sensor_id}",status="404"'
    assert f"citygauge_api_requests_total{{{route}}} 3.0" in text
    assert "whatever" not in text
    assert 'citygauge_api_request_seconds_count{route="/v1/sensors/{sensor_id}"} 3.0' in text


def test_ready_only_with_a_migrated_database(empty_database_url: str) -> None:
    with serving(empty_database_url) as api, api.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        refused = client.get("/readyz")
        assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM)
        assert "migrate" in refused.json()["detail"]
        migrate(empty_database_url)
        assert client.get("/readyz").status_code == 200


def test_ready_is_asked_over_a_connection_that_is_kept(
    database_server: EmbeddedDatabase, database_url: str
) -> None:
    """Where no new connection is admitted it still says the truth, and so it does when the kept one is lost."""
    address, _, name = database_url.rpartition("/")
    with (
        serving(database_url) as api,
        api.client() as client,
        connect(f"{address}/postgres", "test", autocommit=True) as beside,
    ):
        assert client.get("/readyz").status_code == 200
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        assert [client.get("/readyz").status_code for _ in range(3)] == [200] * 3
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        beside.execute(end, (name,))
        away = client.get("/readyz")
        assert (away.status_code, away.headers["content-type"]) == (503, PROBLEM)
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        assert client.get("/readyz").status_code == 200


def test_ready_says_when_the_database_is_newer(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as connection:
        connection.execute("INSERT INTO schema_migration VALUES ('9999_later.sql', 'x')")
    with serving(database_url) as api, api.client() as client:
        refused = client.get("/readyz")
    assert (refused.status_code, "newer version" in refused.json()["detail"]) == (503, True)


def test_a_database_that_goes_away_and_comes_back(own_database: EmbeddedDatabase) -> None:
    url = own_database.create()
    migrate(url)
    secret = new_key(url, "read")
    with (
        serving(url, pool_wait_s=0.5) as api,
        api.client(secret) as client,
    ):

        def answered() -> bool:  # as soon as there is a connection within the half second
            return client.get("/v1/sensors").status_code == 200

        wait_until(answered, what="an answer before")
        own_database.kill()
        away = client.get("/v1/sensors")
        assert (away.status_code, away.headers["content-type"]) == (503, PROBLEM)
        assert int(away.headers["retry-after"]) > 0
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        own_database.start()
        wait_until(answered, what="an answer after")


def test_a_slow_statement_is_stopped(database_url: str) -> None:
    secret = new_key(database_url, "read")
    with (
        serving(database_url, statement_timeout_s=0.5, key_cache_s=300) as api,
        api.client(secret) as client,
        connect(database_url, "test") as blocking,
    ):

        def answered() -> bool:  # as soon as the database finds the half second for it
            return client.get("/v1/sensors").status_code == 200

        wait_until(answered, what="an answer before")
        blocking.execute("LOCK TABLE sensor IN ACCESS EXCLUSIVE MODE")
        answer = client.get("/v1/sensors")
        assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
        assert "too long" in answer.json()["detail"]
        assert answer.headers["retry-after"]
        blocking.rollback()
        wait_until(answered, what="an answer after")


def test_a_taken_port_stops_the_start_with_a_sentence(api: Api) -> None:
    port = int(api.url.rpartition(":")[2])
    with pytest.raises(SettingError, match=f"cannot listen on 127.0.0.1 port {port}"):
        run(ApiSettings(port=port), api.database_url, threading.Event())


def test_it_listens_on_loopback_by_default() -> None:
    assert ApiSettings().host == "127.0.0.1"


def test_small_answers_are_sent_at_once() -> None:
    """Without its protocol named, asyncio leaves Nagle's algorithm on: 40 ms for every answer."""
    with _listen(ApiSettings(port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP

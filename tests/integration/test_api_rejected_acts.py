"""Rejected messages over HTTP: read again by ingest's own way, by portions, or given up; told, logged, balanced."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.api import rejected_acts
from services.api.neighbours import Neighbours
from services.cli.beside_api import replay_with
from services.domain.rejection import Rejection, RejectReason
from services.ingest.settings import IngestSettings
from services.store import accounting, rejected
from services.store.accounting import Counts
from services.store.connection import connect, transaction
from tests.api_server import METER, new_key, register, serving

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOPIC = f"citygauge/v1/water/{METER.id}/reading"


def reading(minute: int) -> bytes:
    return b'{"time":"2026-01-02T03:%02d:00Z","values":{"flow":5},"units":{"flow":"L/h"}}' % minute


def kept(url: str, *bodies: bytes, reason: RejectReason = RejectReason.UNKNOWN_SENSOR) -> None:
    """Keep messages as ingest would when it does not know their sensor."""
    with connect(url, "test", autocommit=True) as conn, transaction(conn):
        many = [Rejection(reason, "not registered", TOPIC, body, METER.id) for body in bodies]
        rejected.add(conn, many, NOW)
        n = len(bodies)
        accounting.add(conn, "ingest-1", Counts(received=n, messages=n, rejected=n))


@contextmanager
def acting(url: str, scope: str = "operate", given: bool = True) -> Iterator[httpx.Client]:
    beside = Neighbours(replay=replay_with(IngestSettings()) if given else None)
    key = new_key(url, scope, name=f"{scope} {given}")
    with serving(url, neighbours=beside) as api, api.client(key) as client:
        yield client


def total(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/ingest/accounting").json()["total"]
    return found


def test_a_reason_is_read_again_by_portions_after_the_fix(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_acts, "_AT_ONCE", 2)
    kept(database_url, reading(1), reading(2), b"{oops", reading(2), reading(4))
    with acting(database_url) as client:
        still = client.post("/v1/rejected/replay", json={"reason": "unknown_sensor"}).json()
        assert (still["replayed"], still["stay"]) == (0, 2), "nothing was fixed yet"
        register(database_url, [METER])
        told, after = [], 0
        while after is not None:
            body = {"reason": "unknown_sensor", "after": after}
            told.append(client.post("/v1/rejected/replay", json=body).json())
            after = told[-1]["next"]
        assert len(told) == 3
        sums = {name: sum(each[name] for each in told) for name in ("replayed", "stored", "stay")}
        assert sums == {"replayed": 4, "stored": 3, "stay": 1}
        assert sum(each["duplicate"] for each in told) == 1
        assert [each["reasons"] for each in told if each["stay"]] == [{"not_json": 1}]
        [left] = client.get("/v1/rejected", params={"state": "new"}).json()["items"]
        assert left["reason"] == "not_json", "today's reason"
        done = client.get("/v1/rejected", params={"state": "replayed"}).json()["items"]
        assert {each["changed_by"] for each in done} == {"operate True"}
        books = total(client)
        assert (books["stored"], books["duplicate"], books["rejected"]) == (3, 1, 1)
        assert books["received"] == 5
        again = client.post("/v1/rejected/replay", json={"ids": [done[0]["id"]]}).json()
        assert (again["replayed"], again["stored"], again["next"]) == (0, 0, None), "once only"


def test_messages_are_given_up_singly_or_by_reason(database_url: str) -> None:
    kept(database_url, b"1", b"2")
    kept(database_url, b"3", reason=RejectReason.NOT_JSON)
    with acting(database_url) as client:
        newest = client.get("/v1/rejected").json()["items"][0]["id"]
        told = client.post("/v1/rejected/discard", json={"ids": [newest, 999_999]})
        assert told.json() == {"discarded": 1}
        told = client.post("/v1/rejected/discard", json={"reason": "unknown_sensor"})
        assert told.json() == {"discarded": 2}
        states = {each["state"] for each in client.get("/v1/rejected").json()["items"]}
        assert states == {"discarded"}
        assert total(client)["rejected"] == 3, "the books stay as they were"


def test_who_may_and_what_is_wrong(database_url: str) -> None:
    kept(database_url, b"1")
    with acting(database_url) as client:
        for path in ("/v1/rejected/replay", "/v1/rejected/discard"):
            for body in ({}, {"ids": []}, {"ids": [1], "reason": "not_json"}, {"ids": [0]}):
                assert client.post(path, json=body).status_code == 422, body
        assert client.post("/v1/rejected/replay", json={"ids": [999_999]}).status_code == 404
    with acting(database_url, "read") as client:
        for path in ("/v1/rejected/replay", "/v1/rejected/discard"):
            assert client.post(path, json={"ids": [1]}).status_code == 403
    with acting(database_url, given=False) as client:
        answer = client.post("/v1/rejected/replay", json={"ids": [1]})
        assert answer.status_code == 501
        assert "citygauge api" in answer.json()["detail"]

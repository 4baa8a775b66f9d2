"""Accounting, rejected messages, the catalogue."""

import base64
from datetime import UTC, datetime

import httpx

from services.domain.catalogue import CATALOGUE
from services.domain.rejection import Rejection, RejectReason
from services.store import accounting, rejected
from services.store.connection import connect
from tests.api_server import Api

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_account_adds_up(api: Api, reader: httpx.Client) -> None:
    with connect(api.database_url, "test", autocommit=True) as connection:
        accounting.add(
            connection,
            "ingest-1",
            accounting.Counts(received=10, messages=4, stored=7, merged=1, duplicate=2, rejected=1),
        )
        accounting.heartbeat(connection, "ingest-1", 5)
    answer = reader.get("/v1/ingest/accounting").json()
    total = answer["total"]
    assert total["received"] == 15
    assert total["received"] == sum(
        total[part] for part in ("stored", "duplicate", "rejected", "in_flight")
    )
    assert answer["workers"][0]["name"] == "ingest-1"
    assert answer["workers"][0]["in_flight"] == 5
    later = reader.get("/v1/ingest/accounting", params={"since": "2099-01-01T00:00:00Z"})
    assert later.json()["total"]["stored"] == 0


def test_rejected_messages_are_listed_and_shown_with_their_bytes(
    api: Api, reader: httpx.Client
) -> None:
    with connect(api.database_url, "test", autocommit=True) as connection:
        rejected.add(
            connection,
            [
                Rejection(RejectReason.NOT_JSON, "not JSON", "a/b", b"{oops", None),
                Rejection(RejectReason.NOT_UTF8, "not UTF-8", "a/c", b"\xff\x00", "M-1"),
            ],
            NOW,
        )
    page = reader.get("/v1/rejected").json()
    assert [item["topic"] for item in page["items"]] == ["a/c", "a/b"]
    assert page["items"][0]["what_to_do"] == "the body must be UTF-8"
    assert page["items"][0]["received_at"] == "2026-01-02T03:04:05Z"
    first = reader.get("/v1/rejected", params={"limit": 1}).json()
    assert first["has_more"]
    second = reader.get("/v1/rejected", params={"limit": 1, "after": first["next"]}).json()
    assert second["items"] == page["items"][1:]
    assert not second["has_more"]
    only = reader.get("/v1/rejected", params={"reason": "not_json"}).json()["items"]
    assert only == page["items"][1:]

    for item, body in zip(page["items"], (b"\xff\x00", b"{oops"), strict=True):
        detail = reader.get(f"/v1/rejected/{item['id']}").json()
        assert base64.b64decode(detail["payload_base64"]) == body
        assert detail["payload_text"] == (None if body[0] == 0xFF else "{oops")
    missing = reader.get("/v1/rejected/999999")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:citygauge:problem:unknown-message"


def test_the_catalogue_names_every_metric_and_unit(reader: httpx.Client) -> None:
    domains = {each["domain"]: each for each in reader.get("/v1/catalogue").json()["domains"]}
    for domain, table in CATALOGUE.items():
        served = {metric["column"]: metric for metric in domains[domain]["metrics"]}
        assert set(served) == set(table.by_column)
        for metric in table.metrics:
            assert served[metric.column]["unit"] == metric.unit
            assert metric.unit in served[metric.column]["accepted_units"]

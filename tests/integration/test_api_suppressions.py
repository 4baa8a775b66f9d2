"""Exemptions and maintenance windows over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.api_server import METER, Api, register, say

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = (NOW + timedelta(days=30)).isoformat()


@pytest.fixture
def sensors(api: Api) -> None:
    register(api.database_url, [METER])


@pytest.fixture(scope="module")
def shared_sensors(shared_api: Api) -> None:
    register(shared_api.database_url, [METER])


@pytest.mark.usefixtures("sensors")
def test_an_exemption_from_the_first_day_to_the_last(api: Api, operator: httpx.Client) -> None:
    alert = say(api.database_url)
    hours = [{"days": [1, 2, 3, 4, 5, 6, 7], "start": "00:00", "end": "00:00"}]
    body = {"subjects": ["M-17"], "rules": ["burst"], "hours": hours, "ends_at": LATER}
    made = operator.post("/v1/exemptions", json={**body, "reason": "Flushed =on Tuesdays"})
    assert made.status_code == 201, made.text
    found = made.json()
    assert made.headers["location"] == f"/v1/exemptions/{found['id']}"
    assert (found["time_zone"], found["created_by"]) == ("Europe/Madrid", "Ana Torres")
    assert (found["live"], found["held"]) == (True, 1)
    assert found["hours"] == hours
    shown = operator.get(f"/v1/alerts/{alert.id}").json()
    assert shown["suppressed_by"] == f"exemption/{found['id']}"
    assert shown["suppressed_reason"] == "Exempt: Flushed =on Tuesdays"
    assert [each["kind"] for each in shown["events"]] == ["raised", "suppressed"]
    held = operator.get("/v1/alerts", params={"suppressed": "true"}).json()["items"]
    assert [each["id"] for each in held] == [str(alert.id)]

    assert operator.get("/v1/exemptions").json()["items"] == [found]
    assert operator.get("/v1/maintenance").json()["items"] == []
    ended = operator.post(f"/v1/exemptions/{found['id']}/end", json={"comment": "Done"}).json()
    assert (ended["live"], ended["held"], ended["ended_by"]) == (False, 0, "Ana Torres")
    log = operator.get(f"/v1/alerts/{alert.id}").json()["events"]
    assert [each["kind"] for each in log] == ["raised", "suppressed", "unsuppressed"]
    one = operator.get(f"/v1/exemptions/{found['id']}").json()
    assert [(each["kind"], each["actor"]) for each in one["events"]] == [
        ("created", "Ana Torres"),
        ("ended", "Ana Torres"),
    ]
    assert one["events"][1]["data"] == {"comment": "Done"}
    assert operator.get("/v1/exemptions").json()["items"] == []
    everything = operator.get("/v1/exemptions", params={"current": "false"}).json()["items"]
    assert [each["id"] for each in everything] == [found["id"]]
    again = operator.post(f"/v1/exemptions/{found['id']}/end")
    assert again.status_code == 422
    assert operator.post(f"/v1/maintenance/{found['id']}/end").status_code == 404


@pytest.mark.usefixtures("sensors")
def test_a_window_over_a_zone_pages(operator: httpx.Client) -> None:
    for days in (1, 2, 3):
        start = (NOW + timedelta(days=days)).isoformat()
        body = {"zone": "Zone 3", "starts_at": start, "ends_at": LATER, "reason": "New main"}
        assert operator.post("/v1/maintenance", json=body).json()["live"] is False
    first = operator.get("/v1/maintenance", params={"limit": 2}).json()
    rest = operator.get("/v1/maintenance", params={"limit": 2, "after": first["next"]}).json()
    assert (len(first["items"]), len(rest["items"]), rest["has_more"]) == (2, 1, False)


@pytest.mark.usefixtures("shared_sensors")
@pytest.mark.parametrize(
    ("place", "body", "field"),
    [
        ("exemptions", {}, "subjects"),
        ("exemptions", {"subjects": ["M-99"]}, "subjects"),
        ("exemptions", {"zone": "Zone 9"}, "zone"),
        ("maintenance", {"rules": ["burst"]}, "zone"),
        ("exemptions", {"subjects": ["M-17"], "ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ("exemptions", {"subjects": ["M-17"], "ends_at": "2099-01-01T00:00:00Z"}, "ends_at"),
        ("exemptions", {"subjects": ["M-17"], "time_zone": "Mars"}, "time_zone"),
        ("exemptions", {"subjects": ["M-17"], "reason": ""}, "reason"),
        (
            "exemptions",
            {"subjects": ["M-17"], "hours": [{"days": [8], "start": "09:00", "end": "10:00"}]},
            "hours.0.days.0",
        ),
        (
            "exemptions",
            {"subjects": ["M-17"], "hours": [{"days": [1], "start": "9 am", "end": "10:00"}]},
            "hours.0.start",
        ),
    ],
)
def test_what_is_wrong_is_named(
    shared_operator: httpx.Client, place: str, body: dict[str, object], field: str
) -> None:
    answer = shared_operator.post(f"/v1/{place}", json={"ends_at": LATER, "reason": "x", **body})
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field


@pytest.mark.usefixtures("sensors")
def test_a_reader_may_look_and_not_make(reader: httpx.Client) -> None:
    body = {"subjects": ["M-17"], "ends_at": LATER, "reason": "x"}
    assert reader.post("/v1/exemptions", json=body).status_code == 403
    assert reader.get("/v1/exemptions").status_code == 200
    assert reader.get(f"/v1/maintenance/{uuid.uuid4()}").status_code == 404

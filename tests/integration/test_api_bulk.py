"""Field work on alerts, and one change for many of them, over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.domain.condition import Change
from tests.api_server import METER, Api, register, say

NOW = datetime.now(UTC).replace(microsecond=0)


def bulk(client: httpx.Client, **body: object) -> httpx.Response:
    return client.post("/v1/alerts/changes", json=body)


def test_a_case_is_assigned_and_worked_on(api: Api, operator: httpx.Client) -> None:
    register(api.database_url, [METER])
    alert = say(api.database_url).id
    given = operator.post(f"/v1/alerts/{alert}/assign", json={"assignee": "Crew 4"}).json()
    assert (given["assignee"], given["work"], given["version"]) == ("Crew 4", "new", 2)
    sent = operator.post(
        f"/v1/alerts/{alert}/progress", json={"work": "crew_sent", "comment": "On the way"}
    ).json()
    assert (sent["work"], sent["state"]) == ("crew_sent", "active")
    again = operator.post(f"/v1/alerts/{alert}/progress", json={"work": "crew_sent"})
    assert again.status_code == 422
    assert "new, investigating, repaired" in again.json()["allowed"]
    stale = operator.post(
        f"/v1/alerts/{alert}/assign", json={"assignee": None, "expected_version": 1}
    )
    assert stale.status_code == 409
    assert stale.json()["current"]["assignee"] == "Crew 4"
    assert operator.post(f"/v1/alerts/{alert}/assign", json={}).json()["field"] == "assignee"
    for filters in ({"assignee": "Crew 4"}, {"work": "crew_sent"}, {"suppressed": "false"}):
        assert len(operator.get("/v1/alerts", params=filters).json()["items"]) == 1
    assert operator.get("/v1/alerts", params={"assignee": ""}).json()["items"] == []
    taken = operator.post(f"/v1/alerts/{alert}/assign", json={"assignee": None}).json()
    assert taken["assignee"] is None
    log = operator.get(f"/v1/alerts/{alert}").json()["events"]
    assert [(each["kind"], each["data"].get("assignee", "-")) for each in log[1:]] == [
        ("assigned", "Crew 4"),
        ("progressed", "-"),
        ("assigned", None),
    ]
    missing = operator.post(f"/v1/alerts/{uuid.uuid4()}/progress", json={"work": "repaired"})
    assert missing.status_code == 404


def test_what_cleared_before_anyone_looked_waits(api: Api, operator: httpx.Client) -> None:
    onset = NOW - timedelta(hours=2)
    over = say(api.database_url, subject="a", onset=onset)
    say(api.database_url, subject="a", change=Change.CLEAR, onset=onset, at=NOW)
    on = say(api.database_url, subject="b")

    def ids(state: str) -> set[str]:
        items = operator.get("/v1/alerts", params={"state": state}).json()["items"]
        return {item["id"] for item in items}

    assert ids("latched") == {str(over.id)}
    assert ids("current") == {str(over.id), str(on.id)}
    operator.post(f"/v1/alerts/{over.id}/acknowledge")
    assert ids("latched") == set()
    assert ids("current") == ids("open") == {str(on.id)}


def test_each_alert_of_many_has_its_own_outcome(api: Api, operator: httpx.Client) -> None:
    good, changed, closed = (say(api.database_url, subject=each) for each in ("a", "b", "c"))
    operator.post(f"/v1/alerts/{changed.id}/comment", json={"comment": "first"})
    operator.post(f"/v1/alerts/{closed.id}/resolve", json={"verdict": "real"})
    nobody = uuid.uuid4()
    answer = bulk(
        operator,
        change="resolved",
        verdict="legitimate_use",
        comment="Pools",
        alerts=[
            {"id": str(changed.id), "expected_version": 1},
            {"id": str(nobody)},
            {"id": str(good.id), "expected_version": 1},
            {"id": str(closed.id)},
        ],
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["changed"], body["refused"]) == (1, 3)
    conflict, missing, done, refused = body["items"]
    assert [each["status"] for each in body["items"]] == [409, 404, 200, 422]
    assert conflict["problem"]["current"]["version"] == 2
    assert missing["problem"]["type"] == "urn:citygauge:problem:unknown-alert"
    assert (done["alert"]["state"], done["alert"]["resolved_by"]) == ("resolved", "Ana Torres")
    assert refused["problem"]["allowed"] == "commented"
    log = operator.get(f"/v1/alerts/{good.id}").json()["events"]
    assert log[-1]["data"] == {"verdict": "legitimate_use", "comment": "Pools"}
    assert len(operator.get(f"/v1/alerts/{changed.id}").json()["events"]) == 2


def test_a_whole_event_is_changed_at_once(api: Api, operator: httpx.Client) -> None:
    first = say(api.database_url, subject="a")
    second = say(api.database_url, subject="b", group=first)
    say(api.database_url, subject="c")
    until = (NOW + timedelta(days=1)).isoformat()
    body = bulk(
        operator, change="shelved", until=until, reason="Works", group=str(first.group_id)
    ).json()
    assert {item["id"] for item in body["items"]} == {str(first.id), str(second.id)}
    assert body["changed"] == 2
    hidden = operator.get("/v1/alerts", params={"shelved": "true"}).json()["items"]
    assert len(hidden) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"change": "acknowledged"}, "body"),
        ({"change": "acknowledged", "alerts": []}, "body"),
        ({"change": "raised", "alerts": [{"id": str(uuid.uuid4())}]}, "change"),
        ({"change": "resolved", "alerts": [{"id": str(uuid.uuid4())}]}, "verdict"),
        ({"change": "shelved", "group": str(uuid.uuid4()), "reason": "x"}, "until"),
        ({"change": "acknowledged", "alerts": [{"id": "seven"}]}, "alerts.0.id"),
        ({"change": "acknowledged", "group": str(uuid.uuid4()), "verdict": "real"}, "verdict"),
        ({"change": "acknowledged", "alerts": [{"id": str(uuid.uuid4())}] * 1001}, "alerts"),
    ],
)
def test_a_wrong_bulk_change_is_named_and_changes_nothing(
    shared_operator: httpx.Client, body: dict[str, object], field: str
) -> None:
    answer = bulk(shared_operator, **body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field

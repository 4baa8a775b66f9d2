"""What was told to whom, as the API shows it: states, failed attempts, filters, pages."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import httpx

from services.api.alerting.deliveries import DeliveryDocument
from services.domain.alert import EventKind
from services.domain.condition import Change
from tests.api_server import Api
from tests.endpoint import Endpoint, endpoint
from tests.notifying import act, hook, pass_once, say, settings_of

__all__ = ["endpoint"]


def test_every_delivery_is_shown_with_its_attempts(
    api: Api, reader: httpx.Client, endpoint: Endpoint
) -> None:
    url, now = api.database_url, datetime.now(UTC)
    settings = settings_of(
        hook(endpoint, "crew", escalate_to="head"), hook(endpoint, "head", direct=False), attempts=2
    )
    [raised] = say(url, Change.RAISE, sentence="Water runs.")
    endpoint.answers = [503]
    pass_once(url, settings, now)
    [waiting] = reader.get("/v1/deliveries", params={"route": "crew"}).json()["items"]
    assert set(waiting) == set(DeliveryDocument.model_fields)
    assert (waiting["state"], waiting["attempts"], waiting["event"]) == ("waiting", 1, "raised")
    assert "503" in waiting["problem"]
    [failure] = waiting["failures"]
    assert (failure["attempt"], "503" in failure["problem"]) == (1, True)
    act(url, raised.alert_id, EventKind.ACKNOWLEDGED)
    endpoint.answers = [500]
    pass_once(url, settings, now + timedelta(hours=1))
    found = {
        each["route"]: each
        for each in reader.get("/v1/deliveries", params={"alert": str(raised.alert_id)}).json()["items"]
    }  # fmt: skip
    assert found["crew"]["state"] == "given_up"
    assert [each["attempt"] for each in found["crew"]["failures"]] == [2, 1]
    assert (found["head"]["state"], found["head"]["reason"]) == ("needless", "escalated")
    assert found["head"]["problem"] == "somebody acknowledged it before it was due"
    one = {"state": "needless", "event": str(raised.id)}
    assert [each["route"] for each in reader.get("/v1/deliveries", params=one).json()["items"]] == ["head"]  # fmt: skip
    nothing = reader.get("/v1/deliveries", params={"alert": str(uuid.uuid4())}).json()
    assert nothing == {"items": [], "next": None, "has_more": False}


def test_deliveries_come_by_pages_and_wrong_questions_are_refused(
    api: Api, reader: httpx.Client, endpoint: Endpoint
) -> None:
    for number in range(7):
        say(api.database_url, Change.RAISE, subject=f"m{number}")
    pass_once(api.database_url, settings_of(hook(endpoint)))
    seen, after = [], None
    while True:
        page = reader.get(
            "/v1/deliveries", params={"limit": 3, **({"after": after} if after else {})}
        )
        seen += [each["event_id"] for each in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 7
    for wrong in ({"after": "nonsense"}, {"state": "lost"}, {"limit": 0}, {"colour": "red"}):
        assert reader.get("/v1/deliveries", params=wrong).status_code == 422
    with api.client() as nobody:
        assert nobody.get("/v1/deliveries").status_code == 401

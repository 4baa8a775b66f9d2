"""How routes fare and how one is tried, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.api.neighbours import Neighbours
from services.cli.route_settings import routes_of
from services.domain.condition import Change
from services.store.connection import connect
from tests.api_server import Api, new_key, serving
from tests.endpoint import Endpoint, endpoint
from tests.notifying import hook, pass_once, say, settings_of

__all__ = ["endpoint"]


@pytest.fixture
def api(database_url: str, endpoint: Endpoint) -> Iterator[Api]:
    settings = settings_of(hook(endpoint), hook(endpoint, "other", escalate_to="hook"))
    beside = Neighbours(routes=routes_of(settings, database_url))
    with serving(database_url, neighbours=beside) as running:
        yield running


def health(api: Api) -> dict[str, str]:
    with api.client(new_key(api.database_url, "read", name=f"reader {datetime.now(UTC)}")) as reader:  # fmt: skip
        items = reader.get("/v1/routes").raise_for_status().json()["items"]
    return {item["name"]: item["health"] for item in items}


def test_a_route_is_idle_then_good_then_refused_then_dead(api: Api, endpoint: Endpoint) -> None:
    url = api.database_url
    settings = settings_of(hook(endpoint), hook(endpoint, "other"), attempts=2)
    assert health(api) == {"hook": "idle", "other": "idle"}
    say(url, Change.RAISE)
    pass_once(url, settings)
    assert health(api) == {"hook": "good", "other": "good"}
    endpoint.refuses = lambda request: request.path == "/other"
    say(url, Change.RAISE, subject="m2")
    pass_once(url, settings)
    assert health(api) == {"hook": "good", "other": "refused"}
    with connect(url, "test", autocommit=True) as conn:
        conn.execute("UPDATE delivery SET created_at = created_at - interval '11 minutes'")
    assert health(api)["other"] == "dead"
    pass_once(url, settings, datetime.now(UTC) + timedelta(minutes=1))
    assert health(api)["other"] == "dead", "given up is not well again"
    with api.client(new_key(url, "read")) as reader:
        [hook_, other] = reader.get("/v1/routes").json()["items"]
    assert (other["given_up_day"], other["sent_day"], other["waiting"]) == (1, 1, 0)
    assert "400" in other["last_problem"]
    assert (hook_["channel"], hook_["can_test"], hook_["sent_day"]) == ("webhook", True, 2)
    assert (other["escalates_to"], other["language"]) == ("hook", "en")


def test_a_test_is_sent_by_who_may_operate(api: Api, endpoint: Endpoint) -> None:
    with api.client(new_key(api.database_url, "read", name="Reader")) as reader:
        assert reader.post("/v1/routes/hook/test").status_code == 403
        assert not endpoint.requests
    with api.client(new_key(api.database_url, "operate")) as ana:
        assert ana.post("/v1/routes/hook/test").raise_for_status().json()["route"] == "hook"
        assert len(endpoint.requests) == 1
        endpoint.answers = [500]
        refused = ana.post("/v1/routes/hook/test")
        assert refused.status_code == 503
        assert "500" in refused.json()["detail"]
        missing = ana.post("/v1/routes/nobody/test")
        assert missing.status_code == 404
        assert missing.json()["type"] == "urn:citygauge:problem:unknown-route"


def test_without_routes_of_its_own_the_api_shows_what_was_delivered(
    database_url: str, endpoint: Endpoint
) -> None:
    say(database_url, Change.RAISE)
    pass_once(database_url, settings_of(hook(endpoint)))
    with serving(database_url) as api, api.client(new_key(database_url, "operate")) as ana:
        [item] = ana.get("/v1/routes").raise_for_status().json()["items"]
        assert (item["name"], item["health"], item["channel"]) == ("hook", "good", None)
        assert item["can_test"] is False
        assert ana.post("/v1/routes/hook/test").status_code == 404

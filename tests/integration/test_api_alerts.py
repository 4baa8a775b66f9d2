"""Alerts over HTTP: the list, one case, and what people do to it."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.domain.condition import Change, Rule, Severity
from tests.api_server import METER, STATION, Api, register, say
from tests.waiting import wait_until

NOW = datetime.now(UTC).replace(microsecond=0)


def act(
    client: httpx.Client, alert: object, change: str, body: object = None, **headers: str
) -> httpx.Response:
    return client.post(f"/v1/alerts/{alert}/{change}", json=body, headers=headers)


def test_the_list_filters_and_pages(api: Api, reader: httpx.Client) -> None:
    register(api.database_url, [METER, STATION])
    for hours in range(5):
        say(
            api.database_url,
            subject=f"M-{hours}" if hours else METER.id,
            onset=NOW - timedelta(hours=hours + 1),
        )
    jam = say(api.database_url, subject=STATION.id, rule=Rule.CONGESTION, severity=Severity.WARNING)
    everything = reader.get("/v1/alerts").json()
    assert len(everything["items"]) == 6
    assert (everything["next"], everything["has_more"]) == (None, False)
    raised = [item["raised_at"] for item in everything["items"]]
    assert raised == sorted(raised, reverse=True)

    found, after, pages = [], None, 0
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = reader.get("/v1/alerts", params=params).json()
        found += page["items"]
        after, pages = page["next"], pages + 1
        if not page["has_more"]:
            break
    assert pages == 3
    assert found == everything["items"]

    for params in (
        {"rule": "congestion"},
        {"severity": "warning"},
        {"subject": STATION.id},
        {"domain": "traffic"},
    ):
        items = reader.get("/v1/alerts", params=params).json()["items"]
        assert [item["id"] for item in items] == [str(jam.id)]
    place = reader.get("/v1/alerts", params={"zone": "Zone 3"}).json()["items"][0]["place"]
    assert place["name"] == "14 Mill Street"
    assert place["time_zone"] == "Europe/Madrid"


def test_a_list_in_which_nothing_has_changed_is_not_sent_again(
    api: Api, reader: httpx.Client
) -> None:
    register(api.database_url, [METER, STATION])
    say(api.database_url, subject=METER.id)
    known: list[str] = []

    def unchanged() -> bool:  # asked again where a minute ended between the two
        known.append(reader.get("/v1/alerts").headers["etag"])
        again = reader.get("/v1/alerts", headers={"If-None-Match": known[-1]})
        return again.status_code == 304 and not again.content

    wait_until(unchanged)
    say(api.database_url, subject=STATION.id, rule=Rule.CONGESTION)
    changed = reader.get("/v1/alerts", headers={"If-None-Match": known[-1]})
    assert (changed.status_code, len(changed.json()["items"])) == (200, 2)


def test_a_feed_and_a_gateway_are_found_where_their_sensors_are(
    api: Api, reader: httpx.Client
) -> None:
    register(api.database_url, [replace(METER, gateway="GW 7"), STATION])
    sensor = say(api.database_url, subject=METER.id)
    gateway = say(api.database_url, subject="gateway/GW 7", rule=Rule.FEED_SILENT)
    feed = say(api.database_url, subject="feed/water", rule=Rule.FEED_SILENT)
    say(api.database_url, subject="feed/traffic", rule=Rule.FEED_SILENT)
    say(api.database_url, subject="gateway/other", rule=Rule.FEED_SILENT)

    def found(**params: str) -> dict[str, dict[str, object]]:
        items = reader.get("/v1/alerts", params=params).json()["items"]
        return {item["id"]: item for item in items}

    wanted = {str(sensor.id): "sensor", str(gateway.id): "gateway", str(feed.id): "feed"}
    for params in ({"domain": "water"}, {"zone": "Zone 3"}):
        items = found(**params)
        assert {key: item["subject_kind"] for key, item in items.items()} == wanted
        assert items[str(sensor.id)]["place"] is not None
        assert items[str(gateway.id)]["place"] is items[str(feed.id)]["place"] is None
    assert set(found(subject="gateway/GW 7")) == {str(gateway.id)}
    assert [item["subject"] for item in found(domain="traffic").values()] == ["feed/traffic"]
    assert found(zone="Zone 4") == {}
    answer = reader.get(f"/v1/alerts/{feed.id}").json()
    assert (answer["subject"], answer["subject_kind"]) == ("feed/water", "feed")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"state": "sleeping"}, "state"),
        ({"rule": "gremlins"}, "rule"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"after": "bm9wZQ"}, "after"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_parameter_is_named(
    shared_reader: httpx.Client, params: dict[str, str], field: str
) -> None:
    answer = shared_reader.get("/v1/alerts", params=params)
    assert answer.status_code == 422
    body = answer.json()
    assert body["field"] == field
    assert body["allowed"]


def test_one_alert_has_its_log_and_its_evidence(api: Api, reader: httpx.Client) -> None:
    raised = say(api.database_url)
    found = reader.get(f"/v1/alerts/{raised.id}").json()
    assert found["sentence"] == raised.sentence
    assert found["evidence"]["threshold"] == 600.0
    assert found["evidence"]["numbers"] == {"litres_so_far": 613.0}
    assert found["place"] is None
    assert found["allowed_changes"] == [
        "acknowledged",
        "assigned",
        "progressed",
        "shelved",
        "commented",
        "resolved",
    ]
    assert [event["kind"] for event in found["events"]] == ["raised"]

    missing = reader.get(f"/v1/alerts/{uuid.uuid4()}")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:citygauge:problem:unknown-alert"
    assert reader.get("/v1/alerts/seven").json()["field"] == "alert_id"


def test_a_case_from_raise_to_resolution(api: Api, operator: httpx.Client) -> None:
    onset = NOW - timedelta(hours=2)
    alert = say(api.database_url, onset=onset).id
    taken = act(operator, alert, "acknowledge", {"comment": "On my way"})
    assert taken.status_code == 200
    assert taken.headers["etag"] == '"2"'
    assert taken.json()["state"] == "acknowledged"
    assert taken.json()["acknowledged_by"] == "Ana Torres"
    assert act(operator, alert, "comment", {"comment": "Valve closed ✓"}).status_code == 200
    say(api.database_url, change=Change.CLEAR, onset=onset, at=NOW, sentence="Normal again.")
    closed = act(operator, alert, "resolve", {"verdict": "real", "comment": "Pipe burst"})
    assert closed.json()["state"] == "resolved"
    assert closed.json()["verdict"] == "real"

    log = operator.get(f"/v1/alerts/{alert}").json()["events"]
    assert [event["kind"] for event in log] == [
        "raised",
        "acknowledged",
        "commented",
        "cleared",
        "resolved",
    ]
    assert log[4]["data"] == {"verdict": "real", "comment": "Pipe burst"}
    assert [event["version"] for event in log] == [1, 2, 3, 4, 5]

    again = act(operator, alert, "resolve", {"verdict": "real"})
    assert again.status_code == 422
    assert again.json()["type"] == "urn:citygauge:problem:change-not-allowed"
    assert again.json()["allowed"] == "commented"


def test_open_leaves_out_what_people_closed_and_what_cleared(
    api: Api, operator: httpx.Client
) -> None:
    cleared = say(api.database_url, subject="a", onset=NOW - timedelta(hours=3))
    say(
        api.database_url,
        subject="a",
        change=Change.CLEAR,
        onset=NOW - timedelta(hours=3),
        at=NOW,
    )
    closed = say(api.database_url, subject="b")
    act(operator, closed.id, "resolve", {"verdict": "legitimate_use"})
    still = say(api.database_url, subject="c")
    taken = say(api.database_url, subject="d")
    act(operator, taken.id, "acknowledge")

    def ids(state: str) -> set[str]:
        items = operator.get("/v1/alerts", params={"state": state}).json()["items"]
        return {item["id"] for item in items}

    assert ids("open") == {str(still.id), str(taken.id)}
    assert ids("active") == {str(still.id)}
    assert ids("acknowledged") == {str(taken.id)}
    assert ids("cleared") == {str(cleared.id)}
    assert ids("resolved") == {str(closed.id)}


def test_hide_and_show_again(api: Api, operator: httpx.Client) -> None:
    alert = say(api.database_url).id
    until = (datetime.now(UTC) + timedelta(hours=4)).replace(microsecond=0)
    body = {"until": until.isoformat(), "reason": "Road works"}
    hidden = act(operator, alert, "shelve", body).json()
    assert hidden["shelved_until"] == until.isoformat().replace("+00:00", "Z")
    assert hidden["shelved_reason"] == "Road works"
    assert act(operator, alert, "unshelve").json()["shelved_until"] is None
    assert act(operator, alert, "unshelve").status_code == 422
    past = act(operator, alert, "shelve", {"until": "2020-01-01T00:00:00Z", "reason": "x"})
    assert past.status_code == 422
    assert past.json()["field"] == "until"


@pytest.mark.parametrize(
    ("change", "body", "field"),
    [
        ("resolve", {}, "verdict"),
        ("resolve", {"verdict": "boring"}, "verdict"),
        ("shelve", {"until": "2099-01-01T00:00:00", "reason": "x"}, "until"),
        ("shelve", {"until": "2099-01-01T00:00:00Z", "reason": " "}, "reason"),
        ("comment", {"comment": "a\x00b"}, "comment"),
        ("comment", {"comment": "x" * 10_001}, "comment"),
        ("acknowledge", {"expected_version": "one"}, "expected_version"),
        ("acknowledge", {"verdict": "real"}, "verdict"),
    ],
)
def test_a_wrong_field_of_a_change_is_named(
    shared_api: Api, shared_operator: httpx.Client, change: str, body: dict[str, object], field: str
) -> None:
    alert = say(shared_api.database_url, subject=str(uuid.uuid4())).id
    answer = act(shared_operator, alert, change, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert len(shared_operator.get(f"/v1/alerts/{alert}").json()["events"]) == 1


def test_a_change_of_an_older_version_is_a_conflict(api: Api, operator: httpx.Client) -> None:
    register(api.database_url, [METER])
    alert = say(api.database_url).id
    act(operator, alert, "comment", {"comment": "first"})
    late = act(operator, alert, "resolve", {"verdict": "real", "expected_version": 1})
    assert late.status_code == 409
    current = late.json()["current"]
    assert (current["version"], current["state"]) == (2, "active")
    assert current["place"]["name"] == "14 Mill Street"
    assert "resolved" in current["allowed_changes"]
    assert act(operator, alert, "acknowledge", **{"If-Match": '"1"'}).status_code == 409
    assert act(operator, alert, "acknowledge", **{"If-Match": "soon"}).status_code == 422
    assert act(operator, alert, "acknowledge", **{"If-Match": '"2"'}).status_code == 200


def test_changing_what_is_not_there(shared_operator: httpx.Client) -> None:
    assert act(shared_operator, uuid.uuid4(), "acknowledge").status_code == 404
    assert act(shared_operator, "seven", "acknowledge").status_code == 422

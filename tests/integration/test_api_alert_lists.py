"""Lists of alerts that are kept: never older than the request, on any process; and what they cost."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest

from services.api.alerting import alert_lists
from services.store.alerting.alert_pages import AlertChoice, heads_asked, heads_of, page
from services.store.alerting.newest import NewestEvent
from services.store.asking import Asker
from services.store.connection import DatabaseUnavailable, connect
from tests.api_server import METER, Api, new_key, register, say, serving
from tests.loops import in_a_loop

LIST = {"state": "open", "limit": "50"}


def listed(client: httpx.Client, **params: str) -> dict[str, dict[str, object]]:
    answer = client.get("/v1/alerts", params=LIST | params)
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["items"]}


def test_a_change_is_seen_at_once_on_every_process(api: Api, operator: httpx.Client) -> None:
    register(api.database_url, [METER])
    alert = str(say(api.database_url, subject=METER.id).id)
    reading = new_key(api.database_url, "read", name="reader")
    with serving(api.database_url) as other, other.client(reading) as there:
        for n in range(10):
            assert listed(there).keys() == listed(operator).keys() == {alert}
            told = operator.post(f"/v1/alerts/{alert}/assign", json={"assignee": f"person {n}"})
            told.raise_for_status()
            assert listed(there)[alert]["assignee"] == f"person {n}"
            assert listed(operator)[alert] == listed(there)[alert]
        operator.post(f"/v1/alerts/{alert}/resolve", json={"verdict": "real"}).raise_for_status()
        assert listed(there) == listed(operator) == {}


def test_lists_are_the_alerts_themselves_however_many_are_new(
    api: Api, reader: httpx.Client
) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    for n in range(103):  # more than are encoded without a thread
        say(api.database_url, subject=f"s-{n}", onset=start - timedelta(minutes=n))
    first = listed(reader, limit="1000")
    assert len(first) == 103
    say(api.database_url, subject="s-new", onset=start)
    second = listed(reader, limit="1000")
    assert len(second) == 104
    assert first.items() <= second.items()
    for id_ in list(second)[:3]:
        one = reader.get(f"/v1/alerts/{id_}").json()
        del one["events"]
        assert one == second[id_]


def test_an_unchanged_list_is_not_sent_again_whatever_happens_elsewhere(
    api: Api, reader: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the next minute, nor an alert that the list does not show, nor another process makes it another list."""
    register(api.database_url, [METER])
    say(api.database_url, subject=METER.id)
    params = LIST | {"subject": METER.id}
    tag = reader.get("/v1/alerts", params=params).headers["etag"]

    def status(client: httpx.Client) -> int:
        known = {"If-None-Match": tag}
        return client.get("/v1/alerts", params=params, headers=known).status_code

    now = time.time()
    monkeypatch.setattr(alert_lists, "time", SimpleNamespace(time=lambda: now + 90))
    assert status(reader) == 304
    say(api.database_url, subject="elsewhere")
    assert status(reader) == 304
    key = new_key(api.database_url, "read", name="there")
    with serving(api.database_url) as other, other.client(key) as there:
        assert status(there) == 304
    register(api.database_url, [replace(METER, name="16 Mill Street")])
    with serving(api.database_url) as other, other.client(key) as there:
        assert status(there) == 200


def test_a_kept_list_helps_nobody_past_the_door(api: Api, reader: httpx.Client) -> None:
    say(api.database_url)
    tag = reader.get("/v1/alerts", params=LIST).headers["etag"]
    with api.client("cg_wrong") as stranger, api.client() as nobody:
        for client in (stranger, nobody):
            again = client.get("/v1/alerts", params=LIST, headers={"If-None-Match": tag})
            assert again.status_code == 401
    for wrong in ({"state": "sleeping"}, {"colour": "red"}):
        answer = reader.get("/v1/alerts", params=wrong, headers={"If-None-Match": "*"})
        assert answer.status_code == 422


def test_a_lost_connection_is_made_again(api: Api, reader: httpx.Client) -> None:
    alert = str(say(api.database_url).id)
    assert listed(reader).keys() == {alert}
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'citygauge-api-lists' AND datname = current_database()"
    )
    with connect(api.database_url, "test", autocommit=True) as connection:
        row = connection.execute(end).fetchone()
    assert row is not None
    assert row[0] >= 1
    assert listed(reader).keys() == {alert}
    assert listed(reader, limit="40").keys() == {alert}


def test_heads_are_those_of_the_page(database_url: str) -> None:
    register(database_url, [METER])
    for subject in (METER.id, "b", "c"):
        say(database_url, subject=subject)
    now = datetime.now(UTC)

    async def heads(chosen: AlertChoice) -> tuple[int, list[tuple[object, int]], str | None]:
        asker = Asker(database_url, "test", connections=1, wait_s=30, statement_timeout_s=30)
        position, found = heads_of(await asker.rows(*heads_asked(chosen)), chosen)
        await asker.close()
        return position, [(head.id, head.version) for head in found.items], found.next

    with connect(database_url, "test", autocommit=True) as conn:
        for chosen in (
            AlertChoice(limit=10, now=now),
            AlertChoice(limit=2, now=now, state="current"),
            AlertChoice(limit=2, now=now, zone=METER.zone, shelved=False, suppressed=False),
            AlertChoice(limit=2, now=now, state="resolved"),
        ):
            whole = page(conn, chosen)
            expected = [(alert.id, alert.version) for alert in whole.items]
            assert in_a_loop(heads(chosen)) == (3, expected, whole.next)


class HeldAsker(Asker):
    """Answers when it is let, and counts."""

    def __init__(self) -> None:
        self.asked, self.newest = 0, 0
        self.begun, self.let = asyncio.Event(), asyncio.Semaphore(0)

    async def rows(self, *_: object) -> list[tuple[int]]:  # type: ignore[override]
        self.asked += 1
        seen = self.newest
        self.begun.set()
        await self.let.acquire()
        return [(seen,)]


def test_many_who_ask_at_once_share_a_question_that_began_after_them() -> None:
    async def ask() -> None:
        asker = HeldAsker()
        newest = NewestEvent(asker)
        first = asyncio.create_task(newest.position())
        await asker.begun.wait()
        asker.newest = 1  # committed after the first question began: those who come now must see it
        later = [asyncio.create_task(newest.position()) for _ in range(20)]
        await asyncio.sleep(0)
        asker.let.release()
        asker.let.release()
        assert await first == 0
        assert await asyncio.gather(*later) == [1] * 20
        assert asker.asked == 2

    in_a_loop(ask())


def test_asking_an_absent_database_fails_and_gives_the_place_back() -> None:
    async def ask() -> None:
        asker = Asker(
            "postgresql://nobody@127.0.0.1:1/none",
            "test",
            connections=1,
            wait_s=30,
            statement_timeout_s=1,
        )
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await asker.rows("SELECT 1")

    in_a_loop(ask())

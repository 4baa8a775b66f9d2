"""CAP 1.2 messages and the API's feeds of them: valid by OASIS's schema, whatever the text."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.api.alerting.cap import ATOM
from services.domain.alert import EventKind
from services.domain.catalogue import Domain
from services.domain.condition import Change, Severity
from services.notify.cap_document import NAMESPACE, cap_message
from services.notify.channels import sender
from services.notify.settings import CapRoute, NotifySettings
from services.notify.trial import send_test
from services.store.connection import connect
from services.store.telling.cap_messages import CapKind, in_force
from services.store.telling.sites import Site
from tests.api_server import METER, Api, register, serving
from tests.integration.test_notify_channels import AT, MESSAGE
from tests.notifying import act, pass_once, say, settings_of

EVIL = '<script>alert(1)</script>]]>&lt;\r\nBcc: x@example.org\x00\x1b[31m "quoted" {severity}'
SITE = Site("m1", frozenset({Domain.WATER}), frozenset({"Zone 3"}), "UTC", "14 Mill St", -0.4, 39.5)
CAP = {"name": "emergency", "channel": "cap", "sender": "gauge@example.org"}
DATA = Path(__file__).parents[1] / "data"


@cache
def schema() -> xmlschema.XMLSchema:
    """OASIS's own schema of CAP 1.2."""
    return xmlschema.XMLSchema(str(DATA / "cap-1.2" / "CAP-v1.2.xsd"))


def cap_route(**changes: object) -> CapRoute:
    return CapRoute.model_validate({**CAP, **changes})


def check(document: str) -> ElementTree.Element:
    """The document, when it keeps the schema and the rules that a schema cannot say (CAP 1.2, section 3.2)."""
    schema().validate(document)
    alert = ElementTree.fromstring(document)
    fact = {each.tag.rpartition("}")[2]: each.text or "" for each in alert}
    for name in ("identifier", "sender"):
        assert re.fullmatch(r"[^\s,<&]+", fact[name])
    assert ("references" in fact) == (fact["msgType"] in {"Update", "Cancel"})
    for reference in fact.get("references", "").split():
        assert re.fullmatch(
            r"[^\s,<&]+,[^\s,<&]+,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", reference
        )
    assert ("restriction" in fact) == (fact["scope"] == "Restricted")
    assert ("addresses" in fact) == (fact["scope"] == "Private")
    assert not re.search(r"\d\dZ<", document), "CAP writes UTC as -00:00"
    return alert


def text(alert: ElementTree.Element, path: str) -> str:
    return alert.findtext("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/"))) or ""


@settings(max_examples=60)
@given(
    st.text(max_size=200), st.text(max_size=80), st.sampled_from(CapKind), st.sampled_from(Severity)
)
def test_any_text_makes_a_valid_cap_message(
    sentence: str, subject: str, kind: CapKind, severity: Severity
) -> None:
    evil = replace(
        MESSAGE,
        sentence=EVIL + sentence,
        subject=subject,
        severity=severity,
        detail=sentence,
        site=replace(SITE, name=subject or None),
    )
    before = [cap_message(MESSAGE, cap_route(), CapKind.ALERT, [], AT)]
    made = cap_message(evil, cap_route(), kind, [] if kind is CapKind.ALERT else before, AT)
    alert = check(made.document)
    assert len(list(alert.iter(f"{{{NAMESPACE}}}info"))) == 1
    assert "<script>" not in made.document
    assert text(alert, "info/area/circle") == "39.500000,-0.400000 0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "Public"},
        {"scope": "Private", "addresses": ["fire@example.org", "City hall, room 7"]},
        {"status": "Exercise", "contact": "+34 600", "instruction": "Close the road <now>."},
        {"sender_name": "Water & roads", "language": "es-ES", "radius_km": 0},
    ],
)
def test_every_setting_makes_a_valid_cap_message(changes: dict[str, object]) -> None:
    check(cap_message(MESSAGE, cap_route(**changes), CapKind.ALERT, [], AT).document)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sender": "a b"}, "CAP does not allow"),
        ({"sender": "a,b"}, "CAP does not allow"),
        ({"scope": "Private"}, "needs addresses"),
        ({"scope": "Private", "addresses": ['a"b']}, "quotation mark"),
        ({"language": "English!"}, "no language"),
        ({"digest": "hourly"}, "no digest"),
        ({"status": "Draft"}, "Actual"),
    ],
)
def test_what_cap_does_not_allow_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        cap_route(**changes)


@pytest.fixture
def open_api(database_url: str) -> Iterator[Api]:
    """An API whose CAP feeds are public."""
    with serving(database_url, cap_public=True) as running:
        yield running


def entries(answer: httpx.Response) -> list[dict[str, str]]:
    """Title, term and address of each entry of an Atom page."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(answer.content)
    ids = [each.text or "" for each in root.iter(f"{{{ATOM}}}id")]
    assert all(id_.startswith("urn:uuid:") for id_ in ids)
    assert len(ids) == len(set(ids))
    assert len(root.findall(f"{{{ATOM}}}updated")) == 1
    return [
        {
            "title": entry.findtext(f"{{{ATOM}}}title") or "",
            "kind": entry.find(f"{{{ATOM}}}category").attrib["term"],  # type: ignore[union-attr]
            "href": entry.find(f"{{{ATOM}}}link").attrib["href"],  # type: ignore[union-attr]
        }
        for entry in root.iter(f"{{{ATOM}}}entry")
    ]


def test_a_case_is_an_alert_its_updates_and_its_cancel_with_references(open_api: Api) -> None:
    url = open_api.database_url
    register(url, [METER])
    chosen = settings_of(cap_route())
    now = datetime.now(UTC)
    turns: list[tuple[Change, Severity]] = [
        (Change.RAISE, Severity.WARNING),
        (Change.UPDATE, Severity.CRITICAL),
        (Change.CLEAR, Severity.INFO),
    ]
    for minute, (change, severity) in enumerate(turns):
        say(url, change, subject=METER.id, severity=severity, minute=minute, sentence=EVIL)
        for _ in range(2):
            pass_once(url, chosen, now + timedelta(minutes=minute))
    with open_api.client() as client:
        found = entries(client.get("/v1/cap/emergency"))
        assert [each["kind"] for each in found] == ["Cancel", "Update", "Alert"]
        documents = [check(client.get(each["href"]).text) for each in reversed(found)]
        answer = client.get("/v1/cap/emergency")
        same = {"If-None-Match": answer.headers["etag"]}
        assert client.get("/v1/cap/emergency", headers=same).status_code == 304
    names = [
        f"{text(each, 'sender')},{text(each, 'identifier')},{text(each, 'sent')}" for each in documents
    ]  # fmt: skip
    assert [text(each, "references") for each in documents] == ["", names[0], " ".join(names[:2])]
    assert [text(each, "info/severity") for each in documents[:2]] == ["Moderate", "Severe"]
    assert text(documents[0], "info/category") == "Infra"
    assert text(documents[0], "info/area/areaDesc") == "14 Mill Street, Zone 3"
    assert text(documents[2], "info/responseType") == "AllClear"


def test_what_the_feed_never_began_it_does_not_cancel(database_url: str) -> None:
    chosen = settings_of(cap_route(minimal_severity="critical", events=["raised", "resolved"]))
    [raised] = say(database_url, Change.RAISE)
    act(database_url, raised.alert_id, EventKind.RESOLVED, verdict="real")
    pass_once(database_url, chosen)
    chosen = settings_of(cap_route(events=["cleared"]))
    say(database_url, Change.CLEAR, minute=3)
    pass_once(database_url, chosen)
    with connect(database_url, "test", autocommit=True) as conn:
        assert in_force(conn, "emergency", datetime.now(UTC), limit=10).items == []


def test_a_message_is_published_once_whatever_is_retried_and_expires(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        send = sender(cap_route(expires_hours=2), conn)
        message = replace(MESSAGE, event_id=uuid.uuid4(), message_id=uuid.uuid4())
        assert str(send(message)).startswith("Alert citygauge-")
        assert send(message) == "nothing to publish"
        now = datetime.now(UTC)
        assert len(in_force(conn, "emergency", now, limit=10).items) == 1
        assert in_force(conn, "emergency", now + timedelta(hours=3), limit=10).items == []


def test_a_test_of_the_route_is_published_as_one(database_url: str) -> None:
    chosen = NotifySettings(routes=(cap_route(),))
    with connect(database_url, "test", autocommit=True) as conn:
        send_test(chosen, "emergency", datetime.now(UTC), conn)
        [published] = in_force(conn, "emergency", datetime.now(UTC), limit=10).items
    assert text(check(published.document), "status") == "Test"


def test_feeds_need_a_key_unless_they_are_public(api: Api, reader: httpx.Client) -> None:
    with api.client() as nobody:
        assert nobody.get("/v1/cap/emergency").status_code == 401
        assert nobody.get("/v1/cap/emergency/citygauge-1").status_code == 401
    assert entries(reader.get("/v1/cap/emergency")) == []
    assert reader.get("/v1/cap/emergency/citygauge-1").status_code == 404
    assert reader.get("/v1/cap/Straße").status_code == 422


def test_a_feed_is_read_by_pages(open_api: Api) -> None:
    with connect(open_api.database_url, "test", autocommit=True) as conn:
        send = sender(cap_route(), conn)
        for _ in range(5):
            one = uuid.uuid4()
            send(replace(MESSAGE, event_id=one, message_id=one, group_id=one))
    seen, address = [], "/v1/cap/emergency?limit=2"
    with open_api.client() as client:
        while address:
            answer = client.get(address)
            seen += [each["href"] for each in entries(answer)]
            links = ElementTree.fromstring(answer.content).findall(f"{{{ATOM}}}link")
            address = next(
                (each.attrib["href"] for each in links if each.attrib["rel"] == "next"), ""
            )
    assert len(seen) == len(set(seen)) == 5

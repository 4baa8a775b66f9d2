"""Routes beyond the own staff, for real: Apprise to an HTTP endpoint, a 311 system, and the CAP feed of the API."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import httpx
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.api.alerting.cap import ATOM
from services.cli.settings import Section, Sources
from services.domain.alert import EventKind
from services.domain.catalogue import Domain
from services.domain.condition import Change, Severity
from services.domain.errors import SettingError, Unavailable
from services.notify.cap_document import NAMESPACE, cap_message
from services.notify.channels import sender
from services.notify.settings import AppriseRoute, CapRoute, NotifySettings, Open311Route
from services.notify.trial import send_test
from services.store.connection import connect
from services.store.telling.cap_messages import CapKind, in_force
from services.store.telling.sites import Site
from tests.api_server import METER, Api, register, serving
from tests.endpoint import Endpoint, endpoint
from tests.integration.test_notify_channels import AT, MESSAGE
from tests.notifying import act, pass_once, say, settings_of, state

__all__ = ["endpoint"]
# apprise's own imports, on Python 3.11 and 3.12
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
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


# Apprise


def apprise_route(url: str, **changes: object) -> AppriseRoute:
    return AppriseRoute.model_validate(
        {"name": "sms", "channel": "apprise", "url": url, "timeout_s": 60.0, **changes}
    )


def test_apprise_takes_a_message_to_a_service(endpoint: Endpoint) -> None:
    route = apprise_route(f"json://127.0.0.1:{endpoint.port}/take")
    sender(route)(replace(MESSAGE, sentence=EVIL))
    [request] = endpoint.requests
    told = json.loads(request.body)
    assert request.path == "/take"
    assert told["type"] == "failure", "a critical alert"
    assert told["title"].startswith("[critical] New: <script>")
    assert "\n" not in told["title"]
    assert "\x00" not in told["message"]


def test_apprise_escapes_text_for_services_that_take_html(endpoint: Endpoint) -> None:
    route = apprise_route(f"json://127.0.0.1:{endpoint.port}/?format=html")
    sender(route)(replace(MESSAGE, sentence=EVIL))
    assert "<script>" not in json.loads(endpoint.requests[0].body)["message"]


def test_a_service_that_does_not_take_it_is_a_failure_that_says_what_came(
    endpoint: Endpoint,
) -> None:
    endpoint.answers = [500]
    with pytest.raises(Unavailable, match="500"):
        sender(apprise_route(f"json://127.0.0.1:{endpoint.port}/"))(MESSAGE)


def test_an_address_that_apprise_does_not_know_is_refused_without_its_secret() -> None:
    routes = [{"name": "sms", "channel": "apprise", "url": "smss://user:hunter2@example.org"}]
    sources = Sources({"CITYGAUGE_NOTIFY_ROUTES": json.dumps(routes)}, Path())
    with pytest.raises(
        SettingError, match=r"Apprise cannot read this address \(smss://...\)"
    ) as refused:
        sources.load(Section.NOTIFY, NotifySettings)
    assert "hunter2" not in str(refused.value)


def test_without_apprise_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ValidationError, match=r"pip install 'citygauge\[apprise\]'"):
        apprise_route("json://127.0.0.1/")


# Open311


def city(endpoint: Endpoint, **changes: object) -> Open311Route:
    plain = {
        "name": "city",
        "channel": "open311",
        "url": endpoint.url("/v2/"),
        "service_code": "W1",
        "timeout_s": 60.0,
    }
    return Open311Route.model_validate({**plain, **changes})


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (b"<service_requests><request><service_request_id>638344</service_request_id><service_notice/>"
         b"<account_id/></request></service_requests>", "service request 638344"),
        (b'<?xml version="1.0" encoding="utf-8"?><service_requests><request><token>12345</token></request>'
         b"</service_requests>", "token 12345"),
        (b'[{"service_request_id": 293944, "service_notice": "soon", "account_id": null}]',
         "service request 293944"),
        (b'[{"token": "abc"}]', "token abc"),
    ],
)  # fmt: skip
def test_a_service_request_keeps_the_number_that_the_city_answers(
    endpoint: Endpoint, answer: bytes, receipt: str
) -> None:
    endpoint.body = answer
    route = city(
        endpoint,
        jurisdiction_id="city.example",
        api_key="k3y",
        service_codes={"burst": "W9"},
        attributes={"SIZE": "big"},
        email="ops@example.org",
    )
    assert sender(route)(replace(MESSAGE, site=SITE, sentence=EVIL)) == receipt
    [request] = endpoint.requests
    fields = {
        name: value
        for name, [value] in parse_qs(request.body.decode(), strict_parsing=True).items()
    }
    assert request.path == "/v2/requests.xml"
    assert {name: fields[name] for name in ("service_code", "api_key", "lat", "long", "email")} == {
        "service_code": "W9",
        "api_key": "k3y",
        "lat": "39.500000",
        "long": "-0.400000",
        "email": "ops@example.org",
    }
    assert fields["attribute[SIZE]"] == "big"
    assert str(MESSAGE.alert_id) in fields["description"]
    assert "\x00" not in fields["description"]


def test_what_has_no_coordinates_is_filed_by_its_words(endpoint: Endpoint) -> None:
    endpoint.body = b'[{"token": "abc"}]'
    site = Site("gateway/GW-7", frozenset({Domain.WATER}), frozenset({"Zone 3"}))
    sender(city(endpoint, form="json"))(replace(MESSAGE, site=site))
    assert parse_qs(endpoint.requests[0].body.decode())["address_string"] == ["Zone 3"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "cannot be read"),
        (b"<html>", "cannot be read"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "entities"),
        (b"<service_requests/>", "neither number nor token"),
        (b"[]", "cannot be read"),
        (b'[{"service_request_id": ""}]', "neither number nor token"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_yes_without_a_number_is_no_yes(endpoint: Endpoint, answer: bytes, words: str) -> None:
    endpoint.body = answer
    with pytest.raises(Unavailable, match=words):
        sender(city(endpoint))(MESSAGE)


def test_what_a_city_refuses_is_said_in_its_words(endpoint: Endpoint) -> None:
    endpoint.answers, endpoint.body = [400], b"<errors><error><code>400</code></error></errors>"
    with pytest.raises(Unavailable, match="400"):
        sender(city(endpoint))(MESSAGE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"events": ["raised", "cleared"]}, "cannot tell of cleared"), ({"digest": "daily"}, "digest"),
     ({"url": "ftp://x"}, "http://")],
)  # fmt: skip
def test_what_geo_report_has_no_room_for_is_refused(
    endpoint: Endpoint, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        city(endpoint, **changes)


def test_the_number_of_a_service_request_stands_with_its_delivery(
    database_url: str, endpoint: Endpoint
) -> None:
    endpoint.body = b'[{"service_request_id": "SR-7"}]'
    [raised] = say(database_url, Change.RAISE)
    pass_once(database_url, settings_of(city(endpoint)))
    assert state(database_url, raised.id)[0].receipt == "service request SR-7"


# CAP


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

"""A language that is dropped in as one file is spoken in every notification, and nothing in them is left in English."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from services.detect.words.sentences import say
from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold
from services.domain.condition import Rule
from services.domain.sensor import Sensor
from services.domain.sentences.language import in_english
from services.domain.sentences.said import Said, phrase
from services.notify.cap_document import NAMESPACE, cap_message
from services.notify.channels.email import email_of
from services.notify.digest import DigestMessage
from services.notify.message import Message, message_of
from services.notify.settings import CapRoute, EmailRoute, NotifySettings
from services.notify.trial import send_test
from services.store.telling.cap_messages import CapKind
from services.store.telling.delivery import Reason
from services.store.telling.sites import Site
from tests.pseudo_language import TAG, spoken, unmarked
from tests.said_samples import samples

AT = datetime(2026, 7, 15, tzinfo=UTC)
PLACE = Site("17", zones=frozenset("1234"), name="Μύλου 14")
FACTS = {
    EventKind.RESOLVED: {"verdict": "legitimate_use"},
    EventKind.COMMENTED: {"comment": "Νερό"},
    EventKind.ASSIGNED: {"assignee": "Άννα"},
    EventKind.PROGRESSED: {"work": "crew_sent"},
}


@pytest.fixture(autouse=True)
def dropped_in() -> Iterator[None]:
    with spoken():
        yield


def greek(sensor: Sensor) -> Sensor:
    """The sensor with names in which no word is Latin."""
    zone = None if sensor.zone is None else "Ζώνη"
    return replace(sensor, id="17", name="Μύλου 14", zone=zone, road=None, direction=None)


def raised() -> Iterator[tuple[AlertEvent, Alert]]:
    """Everything that a detector can say, as an alert's beginning."""
    for condition, sensor in samples():
        subject = "gateway/7" if condition.rule is Rule.FEED_SILENT else "17"
        told = replace(condition, subject=subject)
        event = event_of_condition(told, say(told, greek(sensor)), None)
        if event is not None:
            event = replace(event, data=json.loads(json.dumps(event.data)))
            yield event, fold(None, event)


def told(event: AlertEvent, alert: Alert) -> Message:
    message = message_of(event, alert).in_language(TAG)
    return replace(message, subject="17", site=PLACE, link="https://example.org/#/alert/1")


def test_whatever_is_found_is_told_in_it() -> None:
    messages = [told(*each) for each in raised()]
    assert {message.rule for message in messages} >= {"burst", "congestion", "feed_silent"}
    for message in messages:
        assert "⟦" in message.sentence
        assert not unmarked(message.title + message.text), message.text


@pytest.mark.parametrize("kind", EventKind)
def test_whatever_people_and_rules_do_is_told_in_it(kind: EventKind) -> None:
    event, alert = next(raised())
    data = dict(FACTS.get(kind, {}))
    if kind is EventKind.SUPPRESSED:
        why = Said((phrase("held.feed", name=phrase("domain.water")),), None, "UTC")
        data = {"reason": in_english(why), "said": json.loads(json.dumps(why.as_dict()))}
    if kind is EventKind.CLEARED:
        data = {"group_over": {"alerts": 3, "started_at": AT.isoformat()}}
    later = AlertEvent(event.id, alert.id, kind, AT, "citygauge", data)
    for reason, round_ in ((Reason.ROUTED, 0), (Reason.ESCALATED, 0), (Reason.REPEATED, 2)):
        message = replace(told(later, alert), reason=reason, round=round_)
        assert not unmarked(message.title + message.text), message.text
    route = EmailRoute(channel="email", name="1", host="127.0.0.1", sender="a@b.c", to=["d@e.f"])
    mail = email_of(message, route)
    assert not unmarked(str(mail["Subject"]) + mail.get_content())


def test_what_is_no_single_alert_is_told_in_it() -> None:
    message = told(*next(raised()))
    digest = DigestMessage(message.event_id, [message, message], AT, TAG)
    assert not unmarked(digest.title + digest.text)
    routes = [{"channel": "log", "name": "1", "language": TAG}]
    trial, _ = send_test(NotifySettings.model_validate({"routes": routes}), "1", AT)
    assert not unmarked(trial.title + trial.text), trial.text
    route = CapRoute(channel="cap", name="cap", sender="gauge@example.org", language=TAG)
    document = cap_message(message, route, CapKind.ALERT, [], AT).document
    info = ElementTree.fromstring(document).find(f"{{{NAMESPACE}}}info")
    assert info is not None
    for name in ("event", "headline", "description"):
        assert not unmarked(info.findtext(f"{{{NAMESPACE}}}{name}") or ""), name

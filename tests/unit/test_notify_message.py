"""What is told: the words of each event, and that no text of a sensor or a person can break out of its line."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.domain.alert import Alert, AlertEvent, EventKind
from services.domain.condition import Rule, Severity
from services.notify.channels import CHANNELS
from services.notify.channels.email import email_of
from services.notify.message import Message, message_of, one_line
from services.notify.settings import Channel, EmailRoute, NotifySettings, WebhookRoute

AT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
ALERT = Alert(
    id=uuid.UUID(int=1),
    rule=Rule.BURST,
    subject="meter-1",
    version=3,
    severity=Severity.WARNING,
    score=0.9,
    sentence="Water runs at meter-1.",
    evidence={"value": 42.0},
    started_at=AT,
    raised_at=AT,
    updated_at=AT,
)
EMAIL = EmailRoute(
    name="ops", host="127.0.0.1", sender="gauge@example.org", to=("a@example.org", "b@example.org")
)


def event(kind: EventKind, **data: object) -> AlertEvent:
    return AlertEvent(uuid.UUID(int=2), ALERT.id, kind, AT, "ada", data)


def message(**changes: object) -> Message:
    said = message_of(event(EventKind.RAISED, sentence="It runs.", severity="critical"), ALERT)
    return replace(said, **changes)  # type: ignore[arg-type]


def test_every_channel_has_its_file() -> None:
    assert set(CHANNELS) == set(Channel)


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_has_words(kind: EventKind) -> None:
    said = message_of(event(kind), ALERT)
    assert said.title.startswith("[warning] ")
    assert "Water runs at meter-1." in said.text
    json.dumps(said.as_dict(), allow_nan=False)


def test_an_event_is_told_in_its_own_words_and_severity_on_every_attempt() -> None:
    said = message_of(event(EventKind.RAISED, sentence="It began.", severity="info"), ALERT)
    assert (said.sentence, said.severity) == ("It began.", Severity.INFO)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (EventKind.COMMENTED, {"comment": "the note"}),
        (EventKind.SHELVED, {"reason": "the note", "until": "2026-04-01T00:00:00+00:00"}),
        (EventKind.RESOLVED, {"verdict": "the note"}),
    ],
)
def test_what_a_person_wrote_is_told(kind: EventKind, data: dict[str, object]) -> None:
    assert "Note: the note" in message_of(event(kind, **data), ALERT).text


def test_a_test_says_that_it_is_one() -> None:
    said = message(test=True)
    assert "TEST" in said.title
    assert said.text.startswith("This is a test")
    assert said.as_dict()["test"] is True


@given(st.text(max_size=300))
def test_any_text_stays_on_one_line(text: str) -> None:
    line = one_line(text, 100)
    assert len(line) <= 100
    assert len(line.splitlines()) <= 1
    assert line.isprintable() or line == ""


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_no_text_can_add_a_header_to_an_email(sentence: str, subject: str, actor: str) -> None:
    evil = f"{sentence}\r\nBcc: thief@example.org\r\n\r\nbody"
    said = message(sentence=evil, subject=subject + "\nTo: x@example.org", actor=actor, detail=evil)
    mail = message_from_bytes(email_of(said, EMAIL).as_bytes(policy=SMTP), policy=SMTP)
    assert mail["Bcc"] is None
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["From"] == "gauge@example.org"
    names = [name.lower() for name in mail]
    assert len(names) == len(set(names)), "a header came twice"


def test_reading_direction_cannot_be_turned() -> None:
    assert one_line("safe \u202eexe.tnemucod\u2028next") == "safe exe.tnemucod next"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "file:///etc/passwd",
        "https://",
        "example.org/hook",
        "https://user:word@example.org/",
        "https://example.org/a b",
        "https://example.org:port/",
        "https://example.org/\r\nX: y",
    ],
)
def test_a_route_to_nowhere_is_refused_in_the_settings(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookRoute(name="hook", url=url, secret="0123456789abcdef")


@pytest.mark.parametrize(
    "route",
    [
        {"sender": "x@example.org\r\nBcc: y@example.org"},
        {"sender": "nobody"},
        {"to": ()},
        {"to": ("a@example.org,b@example.org",)},
        {"to": ("Ada <a@example.org>",)},
        {"user": "ada"},
        {"user": "ada", "password": "word", "security": "none", "host": "mail.example.org"},
        {"port": 0},
        {"name": "Über"},
        {"colour": "red"},
    ],
)
def test_a_wrong_mail_route_is_refused_in_the_settings(route: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EmailRoute.model_validate({**EMAIL.model_dump(), **route})


def test_two_routes_cannot_share_a_name() -> None:
    with pytest.raises(ValidationError, match="'ops' is given to two routes"):
        NotifySettings(routes=(EMAIL, EMAIL))


def test_routes_come_from_plain_data() -> None:
    routes = [
        {"name": "log", "channel": "log"},
        {
            "name": "hook",
            "channel": "webhook",
            "url": "http://127.0.0.1:9/x",
            "secret": "0123456789abcdef",
            "minimal_severity": "critical",
            "events": ["raised"],
        },
    ]
    settings = NotifySettings.model_validate({"routes": routes})
    assert [route.channel for route in settings.routes] == [Channel.LOG, Channel.WEBHOOK]
    assert "0123456789abcdef" not in repr(settings)

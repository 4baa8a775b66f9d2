"""Channels against a real HTTP endpoint and a real SMTP server on loopback."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP as MAIL
from pathlib import Path

import pytest

from services.domain.alert import EventKind
from services.domain.condition import Severity
from services.domain.errors import SettingError, Unavailable
from services.notify.channels import sender
from services.notify.channels.webhook import is_authentic
from services.notify.message import Message
from services.notify.settings import EmailRoute, LogRoute, NotifySettings, WebhookRoute
from services.notify.trial import send_test
from tests.endpoint import Endpoint, endpoint
from tests.smtp import Mailbox, authority, serving

__all__ = ["endpoint"]
SECRET = "a secret of some length"
AT = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
MESSAGE = Message(
    event_id=uuid.UUID(int=7),
    kind=EventKind.RAISED,
    alert_id=uuid.UUID(int=8),
    rule="burst",
    subject="meter-1",
    severity=Severity.CRITICAL,
    sentence="Water runs at Straße 5 since 02:00.",
    detail=None,
    started_at=AT,
    at=AT,
    actor="detector",
    evidence={"value": 42.0},
)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with serving() as found:
        yield found


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound and not listened at: nobody else gets it, nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def mail_route(port: int, **changes: object) -> EmailRoute:
    route = EmailRoute(
        name="ops",
        host="127.0.0.1",
        port=port,
        security="none",
        sender="gauge@example.org",
        to=("ada@example.org", "bob@example.org"),
        timeout_s=60.0,
    )
    return route.model_copy(update=changes)


def hook(url: str, timeout_s: float = 60.0) -> WebhookRoute:
    return WebhookRoute(name="hook", url=url, secret=SECRET, timeout_s=timeout_s)  # type: ignore[arg-type]


def test_a_webhook_is_signed_and_carries_the_events_id(endpoint: Endpoint) -> None:
    sender(hook(endpoint.url("/alerts?x=1")))(MESSAGE)
    [request] = endpoint.requests
    assert request.path == "/alerts?x=1"
    assert request.headers["Idempotency-Key"] == str(MESSAGE.event_id)
    assert request.headers["Content-Type"].startswith("application/json")
    signed = request.headers["X-Citygauge-Timestamp"].encode() + b"." + request.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Citygauge-Signature"] == f"sha256={expected}"
    told = json.loads(request.body)
    assert told == MESSAGE.as_dict()
    assert told["alert"]["sentence"] == MESSAGE.sentence


@pytest.mark.parametrize("status", [301, 302, 400, 404, 410, 429, 500, 503])
def test_any_answer_but_a_yes_is_a_failure_that_says_what_came(
    endpoint: Endpoint, status: int
) -> None:
    endpoint.answers = [status]
    with pytest.raises(Unavailable, match=str(status)):
        sender(hook(endpoint.url("/")))(MESSAGE)
    assert len(endpoint.requests) == 1, "it followed a redirect"


def test_a_silent_server_costs_the_timeout_and_no_more(endpoint: Endpoint) -> None:
    endpoint.hold = threading.Event()
    try:
        with pytest.raises(Unavailable, match="did not answer in time"):
            sender(hook(endpoint.url("/"), timeout_s=0.2))(MESSAGE)
    finally:
        endpoint.hold.set()


def test_nobody_at_the_address(closed_port: int) -> None:
    with pytest.raises(Unavailable, match=r"webhook hook.*nobody answers"):
        sender(hook(f"http://127.0.0.1:{closed_port}/"))(MESSAGE)
    with pytest.raises(Unavailable, match=r"e-mail ops.*nobody answers"):
        sender(mail_route(closed_port))(MESSAGE)


def test_https_without_tls_behind_it_is_a_failure(endpoint: Endpoint) -> None:
    url = endpoint.url("/").replace("http:", "https:")
    with pytest.raises(Unavailable, match="SSL"):
        sender(hook(url))(MESSAGE)


def test_an_email_reaches_all_readers_with_a_stable_id(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    send = sender(mail_route(port))
    send(MESSAGE)
    send(MESSAGE)
    first, second = (
        message_from_bytes(envelope.content, policy=MAIL)  # type: ignore[arg-type]
        for envelope in box.envelopes
    )
    assert box.envelopes[0].rcpt_tos == ["ada@example.org", "bob@example.org"]
    assert first["Subject"] == f"[critical] New: {MESSAGE.sentence}"
    assert first["X-Citygauge-Message-Id"] == str(MESSAGE.event_id)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content().replace("\r\n", "\n") == MESSAGE.text


def test_text_cannot_inject_headers_on_the_wire(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    evil = "leak\r\nBcc: thief@example.org\r\n.\r\nMAIL FROM:<thief@example.org>"
    sender(mail_route(port))(replace(MESSAGE, sentence=evil, subject=evil, detail=evil))
    [envelope] = box.envelopes
    assert envelope.rcpt_tos == ["ada@example.org", "bob@example.org"]
    mail = message_from_bytes(envelope.content, policy=MAIL)  # type: ignore[arg-type]
    assert mail["Bcc"] is None


def test_one_refused_reader_does_not_cost_the_others_theirs(
    mailbox: tuple[Mailbox, int], caplog: pytest.LogCaptureFixture
) -> None:
    box, port = mailbox
    box.refused = {"bob@example.org"}
    with caplog.at_level(logging.WARNING, "citygauge.notify"):
        sender(mail_route(port))(MESSAGE)
    assert box.envelopes[0].rcpt_tos == ["ada@example.org"]
    assert "bob@example.org" in caplog.text
    box.refused = {"ada@example.org", "bob@example.org"}
    with pytest.raises(Unavailable, match="550"):
        sender(mail_route(port))(MESSAGE)


def test_starttls_that_the_server_does_not_offer_sends_nothing(
    mailbox: tuple[Mailbox, int],
) -> None:
    box, port = mailbox
    with pytest.raises(Unavailable, match="STARTTLS"):
        sender(mail_route(port, security="starttls"))(MESSAGE)
    assert box.envelopes == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_encrypted_for_a_server_of_a_private_authority(
    security: str, tmp_path: Path
) -> None:
    ca_file = authority().file(tmp_path)
    with serving(security) as (box, port):
        sender(mail_route(port, security=security, ca_file=ca_file))(MESSAGE)
    assert box.encrypted == [True]
    assert box.envelopes[0].rcpt_tos == ["ada@example.org", "bob@example.org"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_that_cannot_prove_who_it_is_gets_nothing(
    security: str, tmp_path: Path
) -> None:
    stranger = authority("stranger").file(tmp_path)
    with serving(security) as (box, port):
        for route in (
            mail_route(port, security=security),
            mail_route(port, security=security, ca_file=stranger),
            mail_route(port, security=security, ca_file=stranger, host="localhost"),
        ):
            with pytest.raises(Unavailable, match="certificate"):
                sender(route)(MESSAGE)
    assert box.envelopes == []


def test_a_webhook_over_tls_trusts_the_authority_of_its_route_alone(tmp_path: Path) -> None:
    server = Endpoint(tls=authority().context())
    try:
        url = server.url("/").replace("http:", "https:")
        ca_file = authority().file(tmp_path)
        sender(hook(url).model_copy(update={"ca_file": ca_file}))(MESSAGE)
        with pytest.raises(Unavailable, match="certificate"):
            sender(hook(url))(MESSAGE)
        (tmp_path / "authority.pem").unlink()
        with pytest.raises(Unavailable, match="No such file"):
            sender(hook(url).model_copy(update={"ca_file": ca_file}))(MESSAGE)
        assert len(server.requests) == 1
    finally:
        server.close()


def test_a_receiver_can_refuse_what_is_forged_or_played_again(endpoint: Endpoint) -> None:
    sender(hook(endpoint.url("/")))(MESSAGE)
    [request] = endpoint.requests
    stamp, sent = (request.headers[f"X-Citygauge-{n}"] for n in ("Timestamp", "Signature"))
    now = float(stamp)
    assert is_authentic(SECRET, stamp, request.body, sent, now + 299)
    assert not is_authentic(SECRET, stamp, request.body, sent, now + 301), "played again later"
    assert not is_authentic(SECRET, str(int(now) + 300), request.body, sent, now + 301)
    assert not is_authentic(SECRET, stamp, request.body + b" ", sent, now)
    assert not is_authentic("another secret of some length", stamp, request.body, sent, now)
    assert not is_authentic(SECRET, "٣", request.body, sent, now)
    assert not is_authentic(SECRET, stamp, request.body, "sha256=é", now)


def test_the_log_channel_writes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "citygauge.notify"):
        sender(LogRoute(name="log"))(replace(MESSAGE, sentence="two\nlines"))
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "two lines" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_route_can_be_tested_with_a_real_sending(endpoint: Endpoint) -> None:
    settings = NotifySettings(routes=(hook(endpoint.url("/")), LogRoute(name="log")))
    message, _ = send_test(settings, "hook", AT)
    assert json.loads(endpoint.requests[0].body)["test"] is True
    assert endpoint.requests[0].headers["Idempotency-Key"] == str(message.event_id)
    with pytest.raises(SettingError, match="hook, log"):
        send_test(settings, "hok", AT)

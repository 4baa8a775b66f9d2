"""A route through Apprise, for real: a message to an HTTP endpoint, refusals, and what is not installed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.cli.settings import Section, Sources
from services.domain.errors import SettingError, Unavailable
from services.notify.channels import sender
from services.notify.settings import AppriseRoute, NotifySettings
from tests.endpoint import Endpoint, endpoint
from tests.integration.test_notify_channels import MESSAGE

__all__ = ["endpoint"]
# apprise's own imports, on Python 3.11 and 3.12
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
EVIL = '<script>alert(1)</script>]]>&lt;\r\nBcc: x@example.org\x00\x1b[31m "quoted" {severity}'


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

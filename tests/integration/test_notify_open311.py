"""A route to a 311 system (GeoReport v2) on loopback: service requests, their numbers, and what has no room there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from services.domain.catalogue import Domain
from services.domain.condition import Change
from services.domain.errors import Unavailable
from services.notify.channels import sender
from services.notify.couriers import Couriers
from services.notify.metrics import NotifyMetrics
from services.notify.settings import Open311Route
from services.notify.tokens import EVERY, Tokens
from services.store.connection import connect
from services.store.telling.sites import Site
from tests.endpoint import Endpoint, endpoint
from tests.integration.test_notify_channels import MESSAGE
from tests.notifying import pass_once, say, settings_of, state
from tests.waiting import wait_until

__all__ = ["endpoint"]
EVIL = '<script>alert(1)</script>]]>&lt;\r\nBcc: x@example.org\x00\x1b[31m "quoted" {severity}'
SITE = Site("m1", frozenset({Domain.WATER}), frozenset({"Zone 3"}), "UTC", "14 Mill St", -0.4, 39.5)


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
        (b"<service_requests/>", "neither a number nor a token"),
        (b"[]", "cannot be read"),
        (b'[{"service_request_id": ""}]', "neither a number nor a token"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_yes_without_a_number_is_no_yes(endpoint: Endpoint, answer: bytes, words: str) -> None:
    endpoint.body = answer
    with pytest.raises(Unavailable, match=words):
        sender(city(endpoint))(MESSAGE)


def test_a_token_becomes_a_number_as_soon_as_the_city_has_one(
    database_url: str, endpoint: Endpoint
) -> None:
    """GeoReport v2, GET service_request_id from a token: asked every ten minutes until there is one, then no more."""
    route = city(endpoint, jurisdiction_id="city.example", form="json")
    endpoint.body = b'[{"token": "a/b c"}]'
    [event] = say(database_url, Change.RAISE)
    pass_once(database_url, settings_of(route))

    def receipt() -> str | None:
        [delivery] = state(database_url, event.id)
        return delivery.receipt

    assert receipt() == "token a/b c"
    endpoint.requests.clear()
    start = datetime.now(UTC)
    answers = [
        (200, b'[{"service_request_id": "", "token": "a/b c"}]'),
        (404, b'[{"code": 404, "description": "token not found"}]'),
        (500, b""),
        (200, b"<html>"),
        (200, b'[{"service_request_id": 638344, "token": "a/b c"}]'),
    ]
    with connect(database_url, "test", autocommit=True) as conn:
        tokens = Tokens(conn, route)
        for place, (status, body) in enumerate(answers, 1):
            assert receipt() == "token a/b c"
            endpoint.answers, endpoint.body = [status], body
            at = start + place * EVERY
            assert tokens.exchange(at) == (1 if place == len(answers) else 0)
            assert tokens.exchange(at + EVERY / 2) == 0
        assert receipt() == "service request 638344"
        assert tokens.exchange(start + 10 * EVERY) == 0
    path = "/v2/tokens/a%2Fb%20c.json?jurisdiction_id=city.example"
    assert [request.path for request in endpoint.requests] == [path] * len(answers)


def test_the_notifier_asks_for_numbers_by_itself(database_url: str, endpoint: Endpoint) -> None:
    route = city(endpoint, form="json")
    endpoint.body = b'[{"token": "abc"}]'
    [event] = say(database_url, Change.RAISE)
    pass_once(database_url, settings_of(route))
    endpoint.body = b'[{"service_request_id": 7, "token": "abc"}]'
    couriers = Couriers(settings_of(route), database_url, NotifyMetrics([route.name]))
    couriers.start()
    try:
        wait_until(
            lambda: state(database_url, event.id)[0].receipt == "service request 7",
            what="the number",
        )
    finally:
        couriers.stop()


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

"""Files an alert as a service request with a city's 311 system: Open311 GeoReport v2, POST requests and GET tokens.

The answer's service_request_id is kept with the delivery; where the system gives its number later, the token, which
`number_for` exchanges for the number.
GeoReport has no key by which it could drop a request that came twice: a notifier that is killed between the answer and
its record files it again, with the same words and the alert's id in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from services.domain.errors import Unavailable
from services.domain.sentences.problem import problem
from services.notify.channels.http import HttpAnswer, ask, post
from services.notify.digest import DigestMessage, Told
from services.notify.message import Message, one_line
from services.notify.settings import Open311Route

PENDING: Final = "token "
"""How a receipt begins that is no number yet."""
_NUMBER: Final = "service request "
_ANSWER_BYTES: Final = 65_536
_DESCRIPTION: Final = 4_000


def request_of(message: Message, route: Open311Route) -> list[tuple[str, str]]:
    """The fields of the service request."""
    code = {rule.value: code for rule, code in route.service_codes.items()}.get(message.rule)
    fields = [("service_code", code or route.service_code)]
    if route.jurisdiction_id is not None:
        fields.append(("jurisdiction_id", route.jurisdiction_id))
    if route.api_key is not None:
        fields.append(("api_key", route.api_key.get_secret_value()))
    site = message.site
    if site.lat is not None and site.lon is not None:
        fields += [("lat", f"{site.lat:.6f}"), ("long", f"{site.lon:.6f}")]
    else:
        fields.append(("address_string", one_line(message.place or message.subject)))
    fields.append(("description", f"{message.title}\n\n{message.text}"[:_DESCRIPTION]))
    if route.email is not None:
        fields.append(("email", route.email))
    fields += [(f"attribute[{name}]", value) for name, value in route.attributes.items()]
    return fields


def channel(route: Open311Route) -> Callable[[Told], str]:
    """Posts to the endpoint's requests resource."""
    who = f"open311 {route.name}"

    def send(message: Told) -> str:
        if isinstance(message, DigestMessage):
            raise Unavailable(who, problem("digest_open311"))
        answer = post(
            f"{route.url}/requests.{route.form}",
            urlencode(request_of(message, route)).encode(),
            {
                "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
                "User-Agent": "citygauge",
                "Idempotency-Key": str(message.message_id),
            },
            who=who,
            timeout_s=route.timeout_s,
            ca_file=route.ca_file,
            answer_bytes=_ANSWER_BYTES,
        )
        if not answer.yes:
            raise Unavailable(who, answer.words)
        return receipt_of(answer, who)

    return send


def receipt_of(answer: HttpAnswer, who: str) -> str:
    """The number of the service request, or the token for it.

    Raises:
        Unavailable: the answer has neither.
    """
    facts = _facts(answer, who)
    for name, words in (("service_request_id", _NUMBER), ("token", PENDING)):
        if value := _words(facts, name):
            return f"{words}{value}"
    raise Unavailable(who, problem("no_number", answer=answer.words))


def number_for(receipt: str, route: Open311Route) -> str | None:
    """The receipt with the number that the system has given by now for the token; None where there is none yet.

    Raises:
        Unavailable: it does not answer, or not in a way that can be read.
    """
    who = f"open311 {route.name}"
    place = (
        ""
        if route.jurisdiction_id is None
        else f"?{urlencode({'jurisdiction_id': route.jurisdiction_id})}"
    )
    answer = ask(
        "GET",
        f"{route.url}/tokens/{quote(receipt.removeprefix(PENDING), safe='')}.{route.form}{place}",
        None,
        {"User-Agent": "citygauge"},
        who=who,
        timeout_s=route.timeout_s,
        ca_file=route.ca_file,
        answer_bytes=_ANSWER_BYTES,
    )
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if not answer.yes:
        raise Unavailable(who, answer.words)
    value = _words(_facts(answer, who), "service_request_id")
    return f"{_NUMBER}{value}" if value else None


def _words(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    return "" if value is None else one_line(str(value).strip(), 120)


def _facts(answer: HttpAnswer, who: str) -> dict[str, Any]:
    try:
        return _first(answer.body)
    except (ValueError, ElementTree.ParseError, RecursionError) as error:
        raise Unavailable(who, problem("unreadable", fault=one_line(str(error)))) from error


def _first(body: bytes) -> dict[str, Any]:
    """The first request of an answer in XML or JSON, whichever it is."""
    text = body.decode("utf-8-sig").lstrip()
    if not text.startswith("<"):
        document = json.loads(text)
        first = document[0] if isinstance(document, list) and document else document
        if not isinstance(first, dict):
            raise ValueError("it is no service request")
        return first
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares entities, which no answer needs")
    request = ElementTree.fromstring(text).find("request")  # noqa: S314 - 64 KB without entities
    return {} if request is None else {each.tag: each.text for each in request}

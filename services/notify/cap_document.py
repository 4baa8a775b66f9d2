"""An alert event as a CAP 1.2 message (OASIS Common Alerting Protocol, 1 July 2010), valid against its schema.

Texts become single lines of characters that XML allows, and are escaped by the writer; it refuses to decide whether
something is an Alert, an Update or a Cancel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree

from services.domain.catalogue import Domain
from services.domain.condition import Severity
from services.domain.sentences.language import language_of
from services.notify.message import Message, one_line
from services.notify.settings import CapRoute
from services.store.telling.cap_messages import CapKind, CapMessage

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
_HEADLINE: Final = 160
_DESCRIPTION: Final = 4_000
_LARGEST_CHAIN: Final = 50
_CATEGORIES: Final[Mapping[Domain, str]] = {Domain.WATER: "Infra", Domain.TRAFFIC: "Transport"}
_SEVERITIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "Severe",
    Severity.WARNING: "Moderate",
    Severity.INFO: "Minor",
}
_URGENCIES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "Immediate",
    Severity.WARNING: "Expected",
    Severity.INFO: "Future",
}
_OBSERVED, _LIKELY = 0.9, 0.5


def identifier_of(message: Message) -> str:
    """The message's identifier: the same on every attempt, without the characters that CAP forbids."""
    return f"citygauge-{message.message_id}"


def cap_message(
    message: Message, route: CapRoute, kind: CapKind, before: Sequence[CapMessage], sent: datetime
) -> CapMessage:
    """The message as it is published.

    Args:
        before: the messages of the same event that it updates or cancels, the oldest first.
        sent: now, aware UTC.
    """
    sent = sent.replace(microsecond=0)
    expires = sent + timedelta(hours=route.expires_hours)
    alert = ElementTree.Element("alert", xmlns=NAMESPACE)

    def add(parent: ElementTree.Element, name: str, text: str | None) -> None:
        if text:
            ElementTree.SubElement(parent, name).text = text

    add(alert, "identifier", identifier_of(message))
    add(alert, "sender", route.sender)
    add(alert, "sent", moment(sent))
    add(alert, "status", "Test" if message.test else route.status)
    add(alert, "msgType", kind.value)
    add(alert, "source", "Citygauge")
    add(alert, "scope", route.scope)
    if route.scope == "Restricted":
        add(alert, "restriction", route.restriction)
    if route.scope == "Private":
        add(alert, "addresses", " ".join(_quoted(each) for each in route.addresses))
    if kind is CapKind.CANCEL:
        add(alert, "note", one_line(f"{message.what}. {message.detail or message.sentence}", 500))
    if kind is not CapKind.ALERT:
        latest = before[-_LARGEST_CHAIN:]
        references = (f"{each.sender},{each.identifier},{moment(each.sent)}" for each in latest)
        add(alert, "references", " ".join(references))
    add(alert, "incidents", str(message.group_id))
    headline = one_line(f"{message.what}: {message.sentence}", _HEADLINE)
    info = ElementTree.SubElement(alert, "info")
    own = language_of(route.language) == message.language
    add(info, "language", route.language if own else message.language)
    for category in _categories(message):
        add(info, "category", category)
    add(info, "event", one_line(message.rule_words, 100))
    add(info, "responseType", "AllClear" if kind is CapKind.CANCEL else "Assess")
    over = kind is CapKind.CANCEL
    add(info, "urgency", "Past" if over else _URGENCIES[message.severity])
    add(info, "severity", _SEVERITIES[message.severity])
    add(info, "certainty", _certainty(message.score))
    add(info, "effective", moment(sent))
    add(info, "onset", moment(message.started_at))
    add(info, "expires", moment(expires))
    add(info, "senderName", None if route.sender_name is None else one_line(route.sender_name))
    add(info, "headline", headline)
    add(info, "description", one_line(message.sentence, _DESCRIPTION))
    add(
        info,
        "instruction",
        None if route.instruction is None else one_line(route.instruction, 2000),
    )
    add(info, "web", message.link)
    add(info, "contact", None if route.contact is None else one_line(route.contact))
    _parameter(info, "rule", message.rule)
    _parameter(info, "subject", message.subject)
    _parameter(info, "alert", str(message.alert_id))
    area = ElementTree.SubElement(info, "area")
    add(area, "areaDesc", one_line(message.place or message.subject) or "unknown")
    if message.site.lat is not None and message.site.lon is not None:
        circle = f"{message.site.lat:.6f},{message.site.lon:.6f} {route.radius_km:g}"
        add(area, "circle", circle)
    document = ElementTree.tostring(alert, encoding="unicode")
    return CapMessage(
        identifier_of(message),
        route.name,
        message.group_id,
        kind,
        route.sender,
        sent,
        expires,
        headline,
        f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n',
    )


def moment(at: datetime) -> str:
    """A time as CAP writes it: whole seconds, UTC as -00:00, never Z."""
    return f"{at:%Y-%m-%dT%H:%M:%S}-00:00"


def _categories(message: Message) -> Sequence[str]:
    return sorted({_CATEGORIES[domain] for domain in message.site.domains}) or ["Other"]


def _certainty(score: float) -> str:
    if score >= _OBSERVED:
        return "Observed"
    return "Likely" if score > _LIKELY else "Possible"


def _parameter(info: ElementTree.Element, name: str, value: str) -> None:
    parameter = ElementTree.SubElement(info, "parameter")
    ElementTree.SubElement(parameter, "valueName").text = f"citygauge:{name}"
    ElementTree.SubElement(parameter, "value").text = one_line(value)


def _quoted(address: str) -> str:
    plain = one_line(address)
    return f'"{plain}"' if " " in plain else plain

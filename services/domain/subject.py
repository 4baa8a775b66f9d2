"""What a condition or an alert is about: a sensor, the way by which many sensors' readings come, a flood of alerts.

A subject is one string. That of a sensor is its id; the others begin with a word and a slash, which no sensor's id
holds. It refuses to know who the sensors behind a feed or a gateway are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from services.domain.catalogue import Domain


class SubjectKind(StrEnum):
    """What a subject is: a sensor, the feed of a domain's readings, a gateway, or the flood of a domain's alerts."""

    SENSOR = "sensor"
    FEED = "feed"
    GATEWAY = "gateway"
    FLOOD = "flood"


_SLASH: Final = "/"


def feed_subject(domain: Domain) -> str:
    """The subject of everything that brings a domain's readings: "feed/water"."""
    return f"{SubjectKind.FEED.value}{_SLASH}{domain.value}"


def gateway_subject(gateway: str) -> str:
    """The subject of a gateway, by the name that its sensors give: "gateway/GW-7"."""
    return f"{SubjectKind.GATEWAY.value}{_SLASH}{gateway}"


def flood_subject(domain: str) -> str:
    """The subject of too many alerts of a domain at once: "flood/water"."""
    return f"{SubjectKind.FLOOD.value}{_SLASH}{domain}"


def kind_of_subject(subject: str) -> SubjectKind:
    """What the subject is."""
    head, slash, _ = subject.partition(_SLASH)
    for kind in (SubjectKind.FEED, SubjectKind.GATEWAY, SubjectKind.FLOOD):
        if slash and head == kind.value:
            return kind
    return SubjectKind.SENSOR


def name_of_subject(subject: str) -> str:
    """The sensor's id, the feed's or the flood's domain, or the gateway's name."""
    if kind_of_subject(subject) is SubjectKind.SENSOR:
        return subject
    return subject.partition(_SLASH)[2]

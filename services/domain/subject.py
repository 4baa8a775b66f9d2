"""What a condition or an alert is about: a sensor, or the way that the readings of many sensors come.

A subject is one string. That of a sensor is its id; the others begin with a word and a slash, which no sensor's id
holds. It refuses to know who the sensors behind a feed or a gateway are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from services.domain.catalogue import Domain


class SubjectKind(StrEnum):
    """What a subject is: a sensor, the feed of a domain's readings, or a gateway."""

    SENSOR = "sensor"
    FEED = "feed"
    GATEWAY = "gateway"


_SLASH: Final = "/"


def feed_subject(domain: Domain) -> str:
    """The subject of everything that brings a domain's readings: "feed/water"."""
    return f"{SubjectKind.FEED.value}{_SLASH}{domain.value}"


def gateway_subject(gateway: str) -> str:
    """The subject of a gateway, by the name that its sensors give: "gateway/GW-7"."""
    return f"{SubjectKind.GATEWAY.value}{_SLASH}{gateway}"


def kind_of_subject(subject: str) -> SubjectKind:
    """What the subject is."""
    head, slash, _ = subject.partition(_SLASH)
    for kind in (SubjectKind.FEED, SubjectKind.GATEWAY):
        if slash and head == kind.value:
            return kind
    return SubjectKind.SENSOR


def name_of_subject(subject: str) -> str:
    """The sensor's id, the feed's domain or the gateway's name."""
    if kind_of_subject(subject) is SubjectKind.SENSOR:
        return subject
    return subject.partition(_SLASH)[2]

"""What is said of a feed or a gateway that fell silent, and of its return; in the local time of any of its sensors.

It refuses to name single sensors.
"""

from __future__ import annotations

from services.detect.words.phrases import (
    Phrase,
    Said,
    count,
    moment,
    number,
    phrase,
    said,
    since,
    span,
    value,
)
from services.domain.catalogue import Domain
from services.domain.condition import Condition
from services.domain.sensor import Sensor
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject


def feed(c: Condition, s: Sensor) -> Said:
    """That no reading comes any more."""
    silent, sensors = number(c, "silent_sensors_1"), number(c, "sensors_1")
    facts = {"sensors": count(sensors), "since": since(c), "length": span(value(c))}
    told = phrase("feed.all", **facts)
    if silent < sensors:
        newest = moment(round(1e6 * number(c, "newest_reading_at_s")))
        told = phrase("feed.some", silent=count(silent), newest=newest, **facts)
    way = _way(c)
    return said(
        s,
        phrase(f"feed.{way}", name=_name(c), told=told),
        phrase("feed.held"),
        act="gateway" if way == "gateway" else "feed",
    )


def feed_over(c: Condition, s: Sensor) -> Said:
    """That readings come again."""
    silent, sensors = number(c, "silent_sensors_1"), number(c, "sensors_1")
    over = phrase(
        f"feed.{_way(c)}_over",
        at=moment(c.at_us),
        name=_name(c),
        speaking=count(sensors - silent),
        sensors=count(sensors),
        length=span((c.at_us - c.onset_us) / 1e6),
        since=since(c),
    )
    return said(s, over, phrase("feed.left", silent=count(silent)) if silent else None, act=None)


def _way(c: Condition) -> str:
    return "gateway" if kind_of_subject(c.subject) is SubjectKind.GATEWAY else "domain"


def _name(c: Condition) -> Phrase | str:
    name = name_of_subject(c.subject)
    return phrase(f"domain.{name}") if _way(c) == "domain" and name in set(Domain) else name

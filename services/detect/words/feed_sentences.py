"""What is said of a feed or a gateway that fell silent, and of its return; in the local time of any of its sensors.

It refuses to name single sensors.
"""

from __future__ import annotations

from services.detect.words.phrases import number, since, span, time, value
from services.domain.condition import Condition
from services.domain.sensor import Sensor
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject


def feed(c: Condition, s: Sensor) -> str:
    silent, sensors = number(c, "silent_sensors_1"), number(c, "sensors_1")
    newest = time(round(1e6 * number(c, "newest_reading_at_s")), s)
    who, others = f"all {sensors:,.0f} sensors are", ", when the last reading came"
    if silent < sensors:
        who = f"{silent:,.0f} of {sensors:,.0f} sensors are"
        others = f"; the others speak, the last reading is of {newest}"
    told = (
        f"{who} silent since {since(c, s)} ({span(value(c))}){others}. "
        "They are not reported one by one while this lasts. "
    )
    if kind_of_subject(c.subject) is SubjectKind.GATEWAY:
        return (
            f"Readings no longer come through {_way(c)}: {told}"
            "First: check the gateway's power and its link to the broker, not the meters or stations."
        )
    return (
        f"{_way(c)[0].upper()}{_way(c)[1:]} no longer come: {told}"
        "First: check broker, link and gateways, and that ingest runs; not the single sensors."
    )


def feed_over(c: Condition, s: Sensor) -> str:
    silent, sensors = number(c, "silent_sensors_1"), number(c, "sensors_1")
    left = (
        f" {silent:,.0f} have not spoken yet and are reported by themselves if they stay silent."
        if silent
        else ""
    )
    through = kind_of_subject(c.subject) is SubjectKind.GATEWAY
    what = f"readings come again through {_way(c)}" if through else f"{_way(c)} come again"
    return (
        f"Over at {time(c.at_us, s)}: {what}, from {sensors - silent:,.0f} of {sensors:,.0f} sensors, "
        f"after {span((c.at_us - c.onset_us) / 1e6)} (since {since(c, s)}).{left}"
    )


def _way(c: Condition) -> str:
    """'gateway GW-7' or 'water readings'."""
    name = name_of_subject(c.subject)
    gateway = kind_of_subject(c.subject) is SubjectKind.GATEWAY
    return f"gateway {name}" if gateway else f"{name} readings"

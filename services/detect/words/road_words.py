"""Words for roads: jams and where their queues begin, and incidents by the sign that tells them."""

from __future__ import annotations

from services.detect.words.phrases import (
    Phrase,
    Said,
    amount,
    count,
    here,
    number,
    phrase,
    said,
    since,
    span,
    speed,
    value,
)
from services.domain.condition import Condition
from services.domain.sensor import Sensor


def _queue(c: Condition) -> Phrase | None:
    """Where the queue begins, how long it is and what it has cost; nothing where the road is not known."""
    numbers = c.evidence.numbers
    if "queue_km" not in numbers:
        return None
    head = phrase("queue.here")
    if not numbers.get("bottleneck_here_1", 1.0):
        head = phrase("queue.there", km=amount(numbers["bottleneck_at_km"], "km"))
    lost = numbers["delay_vehicle_h"]
    cost = [phrase("queue.cost", hours=count(lost))] if lost >= 1 else []
    return phrase("queue", length=amount(numbers["queue_km"], "km"), head=head, cost=cost)


def congestion(c: Condition, s: Sensor) -> Said:
    """A jam at a station."""
    cause = phrase("jam.cause") if number(c, "incident_1") else None
    usual = speed(c.evidence.baseline)
    facts = {
        "where": here(s),
        "since": since(c),
        "speed": speed(value(c)),
        "limit": speed(c.evidence.threshold),
    }
    if not c.evidence.numbers.get("below_limit_1", 1.0):
        slower = phrase("jam.slower", usual=usual, **facts)
        return said(s, slower, _queue(c), cause, act="camera_downstream")
    recurrent = c.evidence.numbers.get("recurrent_1")
    if recurrent is None:
        habit = None
    elif not recurrent:
        habit = phrase("jam.unusual", usual=usual)
    elif number(c, "unusual_1"):
        habit = phrase("jam.worse_than_usual", usual=usual)
    else:
        habit = phrase("jam.usual", usual=usual)
    return said(s, phrase("jam.slow", **facts), habit, _queue(c), cause, act="camera_upstream")


def incident(c: Condition, s: Sensor) -> Said:
    """Something that blocks the road, by the sign that tells it."""
    queue = phrase("incident.queue") if number(c, "congestion_1") else None
    where, baseline = here(s), c.evidence.baseline or 0
    downstream = speed(number(c, "downstream_km_per_h"))
    if number(c, "closed_1"):
        closed = phrase(
            "incident.closed",
            where=where,
            empty=span(60 * number(c, "empty_min")),
            since=since(c),
            usual=count(baseline),
        )
        return said(s, closed, queue, act="closed")
    if number(c, "by_storage_1"):
        storage = phrase(
            "incident.storage",
            where=where,
            since=since(c),
            flow=count(value(c)),
            usual=count(baseline),
            limit=count(c.evidence.threshold or 0),
            stored=count(number(c, "stored_veh")),
        )
        return said(s, storage, queue, act="between")
    if number(c, "by_surplus_1"):
        surplus = phrase(
            "incident.surplus",
            where=where,
            since=since(c),
            more=count(value(c)),
            limit=count(c.evidence.threshold or 0),
            speed=speed(number(c, "speed_km_per_h")),
            downstream=downstream,
        )
        return said(s, surplus, queue, act="between")
    if number(c, "slowed_1"):
        slowed = phrase(
            "incident.slowed",
            where=where,
            since=since(c),
            speed=speed(value(c)),
            usual=speed(baseline),
            downstream=downstream,
            filled=amount(100 * number(c, "filled_1"), "%"),
        )
        return said(s, slowed, act="both_sides")
    jump = phrase(
        "incident.jump", where=where, since=since(c), speed=speed(value(c)), downstream=downstream
    )
    return said(s, jump, queue, act="between")


def miscount(c: Condition, s: Sensor) -> Said:
    """A station whose counts both neighbours contradict."""
    share = number(c, "share_1")
    facts: dict[str, Phrase | str] = {}
    for side in ("upstream", "downstream"):
        ending = f"_{side}_veh_per_h"
        beside = [(name, veh) for name, veh in c.evidence.numbers.items() if name.endswith(ending)]
        for name, veh in beside[:1]:
            facts |= {side: name.removesuffix(ending), f"flow_{side}": count(veh)}
    wrong = "few" if share < 1 else "many"
    counted = phrase(
        f"fault.counts_{wrong}",
        where=here(s),
        since=since(c),
        share=amount(100 * abs(1 - share), "%"),
        flow=count(number(c, "counted_veh_per_h")),
        **facts,
    )
    return said(s, counted, act="lanes")

"""Words for roads: jams and where their queues begin, and incidents by the sign that tells them. It refuses to find the
sensor's name; the caller has it.
"""

from __future__ import annotations

from services.detect.words.phrases import number, since, value
from services.domain.condition import Condition
from services.domain.sensor import Sensor


def _queue(c: Condition) -> str:
    """Where the queue begins, how long it is and what it has cost; nothing where the road is not known."""
    numbers = c.evidence.numbers
    if "queue_km" not in numbers:
        return ""
    head = (
        "just downstream of this station"
        if numbers.get("bottleneck_here_1", 1.0)
        else f"just downstream of the station at {numbers['bottleneck_at_km']:.1f} km"
    )
    lost = numbers["delay_vehicle_h"]
    cost = f", {lost:.0f} vehicle-hours lost so far" if lost >= 1 else ""
    return f" The queue is {numbers['queue_km']:.1f} km long and begins {head}{cost}."


def congestion(c: Condition, s: Sensor, where: str) -> str:
    """A jam at a station."""
    cause = " The incident just downstream is the likely cause." if number(c, "incident_1") else ""
    usual = f"usually {c.evidence.baseline or 0:.0f} km/h"
    if not c.evidence.numbers.get("below_limit_1", 1.0):
        return (
            f"Traffic is much slower than usual at {where} since {since(c, s)}: {value(c):.0f} km/h over five "
            f"minutes, {usual} at this hour (alarm below {c.evidence.threshold or 0:.0f} km/h).{_queue(c)}{cause} "
            "First: look at the camera downstream for an accident or a blocked lane."
        )
    recurrent = c.evidence.numbers.get("recurrent_1")
    if recurrent is None:
        habit = ""
    elif not recurrent:
        habit = f" That is not usual at this hour ({usual})."
    elif number(c, "unusual_1"):
        habit = f" It is slow here at this hour as a rule, but not as slow as this ({usual})."
    else:
        habit = f" It is slow here at this hour as a rule ({usual})."
    return (
        f"Traffic is slow at {where} since {since(c, s)}: {value(c):.0f} km/h over five minutes, "
        f"limit {c.evidence.threshold or 0:.0f} km/h.{habit}{_queue(c)}{cause} "
        "First: look at the camera upstream and warn drivers before the tail of the queue."
    )


def incident(c: Condition, s: Sensor, where: str) -> str:
    """Something that blocks the road, by the sign that tells it."""
    queue = " The jam told at this station is its queue." if number(c, "congestion_1") else ""
    if number(c, "closed_1"):
        return (
            f"The road may be closed just downstream of {where}: no vehicle has come out downstream for "
            f"{number(c, 'empty_min'):.0f} minutes (since {since(c, s)}), where {c.evidence.baseline or 0:.0f} an "
            f"hour should.{queue} First: look at the cameras between both stations; send a patrol, divert traffic."
        )
    if number(c, "by_storage_1"):
        return (
            f"An incident is likely just downstream of {where} since {since(c, s)}: vehicles do not come out. "
            f"{value(c):.0f} vehicles an hour pass the next station, where {c.evidence.baseline or 0:.0f} should "
            f"(alarm below {c.evidence.threshold or 0:.0f}); about {number(c, 'stored_veh'):.0f} are held up between."
            f"{queue} First: look at the cameras between the two stations; have a patrol ready."
        )
    if number(c, "slowed_1"):
        return (
            f"Something stands in the way of traffic near {where} since {since(c, s)}: {value(c):.0f} km/h "
            f"here, usually {c.evidence.baseline or 0:.0f} beside {number(c, 'downstream_km_per_h'):.0f} km/h at the "
            f"next station, though the road is only {100 * number(c, 'filled_1'):.0f} % full. First: look at the "
            "cameras on both sides of the station for a stopped vehicle or a blocked lane."
        )
    return (
        f"An incident is likely just downstream of {where} since {since(c, s)}: {value(c):.0f} km/h here, "
        f"{number(c, 'downstream_km_per_h'):.0f} km/h at the next station.{queue} "
        "First: look at the cameras between the two stations; have a patrol ready."
    )

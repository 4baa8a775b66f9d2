"""Alerts of one event: which ones belong together, as they are raised one after the other."""

from __future__ import annotations

import uuid

import pytest

from services.detect.cases import Cases
from services.domain.alert import EventKind
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import SECOND_US
from services.domain.sensor import Sensor

BASE_US = 1_767_600_000_000_000
MINUTE_US = 60 * SECOND_US
EVIDENCE = Evidence("speed_km_per_h", "km/h", 40.0, 64.0, 95.0, 300.0, 10, 0.0)


def station(name: str, position_m: float | None, road: str = "A-1", direction: str = "N") -> Sensor:
    return Sensor(
        name, SensorKind.TRAFFIC_STATION, road=road, direction=direction, position_m=position_m
    )


SENSORS = {
    sensor.id: sensor
    for sensor in (
        station("S1", 1_000.0), station("S2", 2_000.0), station("S3", 3_000.0),
        station("S9", 9_000.0), station("T2", 2_000.0, direction="S"), station("X", None),
        Sensor("M1", SensorKind.WATER_METER, gateway="G1", zone="Z"),
        Sensor("M2", SensorKind.WATER_METER, gateway="G1", zone="Z"),
        Sensor("M3", SensorKind.WATER_METER, zone="Z"),
        Sensor("Z-in", SensorKind.DMA_INLET, zone="Z"), Sensor("M4", SensorKind.WATER_METER, zone="Y"),
    )
}  # fmt: skip


class Street:
    """Cases, and what came of each condition."""

    def __init__(self) -> None:
        self.cases = Cases(lambda condition, sensor: f"{condition.change} at {sensor.id}", SENSORS)
        self.minute = 0
        self.onsets: dict[tuple[Rule, str], int] = {}

    def group(self, rule: Rule, subject: str) -> uuid.UUID:
        """Raise, and give the group of the alert."""
        self.minute += 1
        self.onsets[rule, subject] = BASE_US + self.minute * MINUTE_US
        self._take(rule, subject, Change.RAISE)
        [alert] = [a for a in self.cases.open if (a.rule, a.subject) == (rule, subject)]
        assert alert.group_id is not None
        return alert.group_id

    def wait(self, minutes: int) -> None:
        self.minute += minutes

    def clear(self, rule: Rule, subject: str) -> None:
        self.minute += 1
        self._take(rule, subject, Change.CLEAR)

    def _take(self, rule: Rule, subject: str, change: Change) -> None:
        at_us = BASE_US + self.minute * MINUTE_US
        onset_us = self.onsets[rule, subject]
        made = Condition(rule, subject, change, onset_us, at_us, Severity.WARNING, 0.5, EVIDENCE)
        [event] = self.cases.take([made])
        assert (event.kind is EventKind.RAISED) == (change is Change.RAISE)


def test_a_queue_and_its_incident_are_one_event_along_the_road() -> None:
    street = Street()
    first = street.group(Rule.CONGESTION, "S3")
    assert street.group(Rule.CONGESTION, "S2") == first
    assert street.group(Rule.INCIDENT, "S3") == first
    assert street.group(Rule.CONGESTION, "S1") == first
    assert street.group(Rule.CONGESTION, "S9") != first  # six kilometres on: another jam
    assert street.group(Rule.CONGESTION, "T2") != first  # the other carriageway


def test_a_queue_that_moves_on_stays_the_same_event_until_all_of_it_is_over() -> None:
    street = Street()
    first = street.group(Rule.CONGESTION, "S3")
    street.group(Rule.CONGESTION, "S2")
    street.clear(Rule.CONGESTION, "S3")
    assert street.group(Rule.CONGESTION, "S1") == first
    street.clear(Rule.CONGESTION, "S2")
    street.clear(Rule.CONGESTION, "S1")
    assert street.group(Rule.CONGESTION, "S2") != first


def test_one_leak_by_two_rules_is_one_event_and_a_neighbours_leak_another() -> None:
    street = Street()
    first = street.group(Rule.CONTINUOUS_FLOW, "M1")
    assert street.group(Rule.BURST, "M1") == first
    assert street.group(Rule.BURST, "M2") != first
    assert street.group(Rule.BACKFLOW, "M1") != first
    assert street.group(Rule.STUCK, "M1") != first


def test_one_sensors_troubles_are_one_event_and_its_gateways_other_sensors_are_not() -> None:
    street = Street()
    first = street.group(Rule.STUCK, "M1")
    assert street.group(Rule.SILENT, "M1") == first
    assert street.group(Rule.SILENT, "M2") != first  # a dead battery beside it is told apart


@pytest.mark.parametrize("subject", ["X", "nobody"])
def test_a_subject_without_a_place_is_alone_with_itself(subject: str) -> None:
    street = Street()
    street.group(Rule.CONGESTION, "S1")
    mine = street.group(Rule.CONGESTION, subject)
    assert street.group(Rule.INCIDENT, subject) == mine
    assert len({alert.group_id for alert in street.cases.open}) == 2


def test_open_alerts_that_are_loaded_take_new_ones_into_their_group() -> None:
    before, after = Street(), Street()
    first = before.group(Rule.CONGESTION, "S3")
    before.group(Rule.CONGESTION, "S2")
    after.cases.load(reversed(before.cases.open))
    after.minute = before.minute
    assert after.group(Rule.CONGESTION, "S1") == first


def test_what_premises_show_of_their_zones_loss_belongs_to_it() -> None:
    street = Street()
    zone = street.group(Rule.ZONE_LEAK, "Z-in")
    assert street.group(Rule.BURST, "M1") == zone
    assert street.group(Rule.BACKFLOW, "M2") == zone
    assert street.group(Rule.CONTINUOUS_FLOW, "M3") != zone  # a toilet is no broken main
    assert street.group(Rule.BURST, "M4") != zone  # another zone
    street.wait(7 * 60)
    assert street.group(Rule.BURST, "M3") != zone  # much later: a case of its own
    street.clear(Rule.ZONE_LEAK, "Z-in")
    street.clear(Rule.BURST, "M1")
    assert street.group(Rule.BURST, "M1") != zone


def test_one_homes_burst_is_no_reason_to_say_less_of_a_zone() -> None:
    street = Street()
    home = street.group(Rule.BURST, "M1")
    assert street.group(Rule.ZONE_LEAK, "Z-in") != home

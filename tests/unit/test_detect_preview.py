"""Which alerts of two configurations are one, and which past alert they are held against."""

from datetime import timedelta
from math import inf
from uuid import uuid4

import pytest

from services.detect.detector_settings import DetectorSettings
from services.detect.recorded.preview import PreviewOrder, Told, _domains, _scope, paired, with_past
from services.domain.alert import Alert
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Rule, Severity
from services.domain.errors import UnknownPlace, UnknownSensor
from services.domain.instant import from_us
from services.domain.sensor import Sensor

HOUR_US = 3_600_000_000


def told(start_h: float, end_h: float = inf, rule: Rule = Rule.BURST, sensor: str = "M1") -> Told:
    start = int(start_h * HOUR_US)
    return Told(sensor, rule, start, start + HOUR_US, end_h * HOUR_US, Severity.WARNING, "")


def past(start_h: float, end_h: float, rule: Rule) -> Alert:
    start = from_us(int(start_h * HOUR_US))
    over = start + timedelta(hours=end_h - start_h)
    return Alert(
        id=uuid4(), rule=rule, subject="M1", version=2, severity=Severity.WARNING, score=0.9, sentence="",
        evidence={}, started_at=start, raised_at=start, updated_at=over, cleared_at=over, group_id=uuid4(),
    )  # fmt: skip


def test_alerts_that_overlap_are_one_and_each_is_used_once() -> None:
    a, b, c = told(0, 10), told(20, 30), told(40)
    earlier, both, other = told(1, 12), told(18, 45), told(5, 8, Rule.BACKFLOW)
    assert set(paired([a, b, c], [earlier, both, other])) == {
        (a, earlier), (b, both), (c, None), (None, other),
    }  # fmt: skip
    assert paired([], []) == []
    assert paired([told(0, 5)], [told(0, 5, sensor="M2")])[0][1] is None


def test_the_past_alert_of_the_rule_comes_first_then_one_of_the_same_trouble() -> None:
    burst, flow, gone = (
        past(2, 9, Rule.BURST),
        past(0, 9, Rule.CONTINUOUS_FLOW),
        past(50, 60, Rule.BURST),
    )
    [pair] = with_past([(told(0, 10), None)], [flow, gone, burst])
    assert pair.past is burst
    assert pair.outcome == "lost"
    [pair] = with_past([(None, told(0, 10))], [gone, flow])
    assert (pair.past, pair.outcome) == (flow, "gained")
    [pair] = with_past([(None, told(0, 10, Rule.SILENT))], [flow])
    assert pair.past is None


def test_a_sensor_is_heard_with_those_that_it_is_judged_with() -> None:
    kinds = [
        Sensor("S1", SensorKind.TRAFFIC_STATION, road="A-1"),
        Sensor("S2", SensorKind.TRAFFIC_STATION, road="A-1"),
        Sensor("M1", SensorKind.WATER_METER, zone="Z"),
        Sensor("M2", SensorKind.WATER_METER, zone="Y"),
        Sensor("IN", SensorKind.DMA_INLET, zone="Z"),
    ]
    sensors = dict(enumerate(kinds))

    def scope(**place: str) -> tuple[set[int], set[int]]:
        moment = from_us(0)
        settings = DetectorSettings()
        order = PreviewOrder(settings, settings, frozenset(), moment, moment, timedelta(0), **place)
        return _scope(order, sensors)

    assert scope(sensor_id="S2") == ({1}, {0, 1})
    assert scope(sensor_id="M2") == ({3}, {3})
    assert scope(sensor_id="IN") == ({4}, {2, 4})
    assert scope(zone="Z") == ({2, 4}, {2, 4})
    assert scope(road="A-1") == ({0, 1}, {0, 1})
    assert scope() == (set(sensors), set(sensors))
    for place in ({"zone": "Nowhere"}, {"road": "A-9"}, {"sensor_id": "M9"}):
        with pytest.raises((UnknownPlace, UnknownSensor)):
            scope(**place)


def test_every_limit_concerns_water_or_traffic() -> None:
    present = DetectorSettings()
    for name, info in DetectorSettings.model_fields.items():
        if info.annotation is float:
            changed = present.model_copy(update={name: getattr(present, name) * 1.01 + 0.01})
            [domain] = _domains(present, changed)
            words = ("congestion", "unusual", "traffic")
            assert (domain is Domain.TRAFFIC) == any(word in name for word in words), name

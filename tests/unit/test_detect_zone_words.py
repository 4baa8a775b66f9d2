"""What is said of a zone's silent parts, and which sensors of a recording make one zone."""

from __future__ import annotations

import pytest

from services.detect.recorded.case_sensors import as_one_zone
from services.detect.words.sentences import sentence
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US

BLIND = "its zone is not watched for leaks"


@pytest.mark.parametrize(
    ("kind", "zone", "area_m2", "blind"),
    [
        (SensorKind.DMA_INLET, None, None, True),
        (SensorKind.DMA_INLET, "Z", None, True),
        (SensorKind.DMA_OUTLET, "Z", None, True),
        (SensorKind.DMA_OUTLET, None, None, False),
        (SensorKind.TANK_LEVEL, "Z", 40.0, True),
        (SensorKind.TANK_LEVEL, "Z", None, False),
        (SensorKind.PRESSURE, "Z", None, False),
        (SensorKind.WATER_METER, "Z", None, False),
    ],
)
@pytest.mark.parametrize("never", [0.0, 1.0])
def test_a_silent_part_of_a_zone_says_that_its_zone_is_not_watched(
    kind: SensorKind, zone: str | None, area_m2: float | None, blind: bool, never: float
) -> None:
    evidence = Evidence(
        "silence", "s", 90_000.0, 86_400.0, None, 90_000.0, 0, 1.0, {"never_seen_1": never}
    )
    told = Condition(
        Rule.SILENT, "S", Change.RAISE, START_US, START_US, Severity.WARNING, 1.0, evidence
    )
    assert (BLIND in sentence(told, Sensor("S", kind, zone=zone, area_m2=area_m2))) is blind


def test_a_recording_with_one_inlet_and_no_zones_is_one_zone_without_its_meters() -> None:
    inlet, logger = Sensor("I", SensorKind.DMA_INLET), Sensor("P", SensorKind.PRESSURE)
    meter, other = Sensor("M", SensorKind.WATER_METER), Sensor("J", SensorKind.DMA_INLET)
    assert [s.zone for s in as_one_zone([inlet, logger, meter], "case")] == ["case", "case", None]
    assert as_one_zone([inlet, other, logger], "case") == (inlet, other, logger)
    named = Sensor("Q", SensorKind.PRESSURE, zone="North")
    assert as_one_zone([inlet, named], "case") == (inlet, named)

"""One condition for everything that a detector can say, with the sensor that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.detect.words.late_words import ARRIVED, IN_TIME
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import HOUR_US, parse_time
from services.domain.sensor import Sensor

ONSET = parse_time("2026-07-13T20:05:00Z")
METER = Sensor(
    "M-17", SensorKind.WATER_METER, name="Elm Street 4", zone="North", time_zone="Europe/Madrid"
)
STATION = Sensor(
    "A1-12", SensorKind.TRAFFIC_STATION, road="A-1", direction="N", position_m=9600, time_zone="Europe/Madrid"
)  # fmt: skip
INLET = Sensor("IN-3", SensorKind.DMA_INLET, zone="South", time_zone="America/New_York")
SELDOM: dict[str, float] = {"by_day_1": 1.0, "looks_1": 3.0}
LITRES = {"litres_so_far": 12_400.0, "litres_per_day": 2640.5}
PRESSURE = {"confidence_1": 0.8, "P-9_beyond_model_kpa": -1.25}
QUEUE = {"queue_km": 2.4, "bottleneck_here_1": 0.0, "bottleneck_at_km": 11.2, "delay_vehicle_h": 1240.0}  # fmt: skip
COUNTS = {
    "sign_1": 5.0, "counted_veh_per_h": 1402.0,
    "A1-11_upstream_veh_per_h": 2110.0, "A1-13_downstream_veh_per_h": 2004.0,
}  # fmt: skip
SPEEDS = ("km/h", 41.6, 64.0, 103.0)
FLOWS = ("L/h", 12_405.0, 724.0, 8.25)
_SAID: tuple[tuple[Rule, Sensor, tuple[Any, ...], dict[str, float]], ...] = (
    (Rule.CONTINUOUS_FLOW, METER, ("L/h", 15.5, 0.0, None), LITRES | {"chance_by_habit_1": 2e-5}),
    (Rule.CONTINUOUS_FLOW, METER, ("L/h", 3.45, 0.0, None), LITRES | {"cost_so_far_eur": 64.0}),
    (Rule.BURST, METER, FLOWS, LITRES | {"cost_so_far_eur": 12_064.0, "cost_per_day_eur": 3.5}),
    (Rule.BURST, METER, FLOWS, {"cost_per_day_eur": 1.5, ARRIVED: ONSET / 1e6 + 9e4}),
    (Rule.BURST, INLET, FLOWS, LITRES | PRESSURE | {ARRIVED: ONSET / 1e6, IN_TIME: ONSET / 1e6}),
    (Rule.BACKFLOW, METER, ("L", -36.0, -3.0, None), {"litres_back": 36.0}),
    (Rule.SILENT, METER, ("s", 86_500.0, 86_400.0, None), {"cadence_s": 30.0}),
    (Rule.SILENT, INLET, ("s", 900.0, 60.0, None), {"never_seen_1": 1.0}),
    (Rule.STUCK, METER, ("L", 0.0, None, None), {"longest_earlier_pause_h": 300.0}),
    (Rule.STUCK, METER, ("L", 0.0, None, None), {"longest_earlier_pause_h": 0.0, "watched_before_h": 0.0}),
    (Rule.STUCK, METER, ("L", 0.0, None, None), {"longest_earlier_pause_h": 0.0, "watched_before_h": 900.0}),
    (Rule.STUCK, STATION, ("km/h", 88.25, None, None), {"unchanged_min": 30.0}),
    (Rule.NIGHT_FLOW, METER, ("L/h", 160.0, 130.0, 50.0), LITRES),
    (Rule.NIGHT_FLOW, METER, ("L/h", 160.0, 130.0, 50.0), LITRES | {"by_day_1": 1.0}),
    (Rule.NIGHT_FLOW, METER, ("L/h", 160.0, None, 50.0), LITRES | SELDOM | {"read_every_h": 24.0}),
    (Rule.NIGHT_FLOW, METER, ("L/h", 160.0, None, 50.0), LITRES | SELDOM | {"read_every_h": 12.0}),
    (Rule.INTERMITTENT_LEAK, METER, ("L", 900.0, None, None), {"pause_share_1": 0.21, "usual_pause_share_1": 0.7}),
    (Rule.CONGESTION, STATION, SPEEDS, {"recurrent_1": 0.0, "incident_1": 1.0}),
    (Rule.CONGESTION, STATION, SPEEDS, {"recurrent_1": 1.0, "unusual_1": 1.0} | QUEUE),
    (Rule.CONGESTION, STATION, SPEEDS, {"recurrent_1": 1.0} | QUEUE | {"bottleneck_here_1": 1.0}),
    (Rule.CONGESTION, STATION, SPEEDS, {"below_limit_1": 0.0}),
    (Rule.INCIDENT, STATION, SPEEDS, {"closed_1": 1.0, "empty_min": 1.0, "congestion_1": 1.0}),
    (Rule.INCIDENT, STATION, ("{veh}/h", 1250.0, 900.0, 3400.0), {"by_storage_1": 1.0, "stored_veh": 40.0}),
    (Rule.INCIDENT, STATION, ("{veh}", 12.0, 8.0, None), {"by_surplus_1": 1.0, "downstream_km_per_h": 101.5}),
    (Rule.INCIDENT, STATION, SPEEDS, {"slowed_1": 1.0, "filled_1": 0.125}),
    (Rule.INCIDENT, STATION, SPEEDS, {"downstream_km_per_h": 101.5}),
    *((Rule.SENSOR_FAULT, STATION, ("%", 97.0, 90.0, None), {"sign_1": float(n)}) for n in range(5)),
    (Rule.SENSOR_FAULT, STATION, ("1", 0.7, 0.8, 1.0), COUNTS | {"share_1": 0.67}),
    (Rule.SENSOR_FAULT, STATION, ("1", 1.4, 1.25, 1.0), COUNTS | {"share_1": 1.38}),
    (Rule.SENSOR_FAULT, METER, ("L", 70_911.0, None, 70.911), {"unit_factor_1": 0.001}),
    (Rule.SENSOR_FAULT, METER, ("L", 70.9, None, 70_911.0), {"unit_factor_1": 1000.0}),
    (Rule.SENSOR_FAULT, METER, ("L/h", 9000.0, None, 9.0), {"times_usual_1": 980.0}),
    (Rule.SENSOR_FAULT, METER, ("L/h", 0.9, None, 9.0), {"times_usual_1": 0.1}),
    (Rule.REGISTER, METER, ("L", 12.0, None, 999_990.0), {"rollover_1": 1.0, "between_litres": 22.0}),
    (Rule.REGISTER, METER, ("L", 0.0, None, 1_234_567.0), {}),
    (Rule.ZONE_LEAK, INLET, ("L/h", 9000.0, None, 120.5), LITRES | PRESSURE),
)  # fmt: skip


def _condition(
    rule: Rule, subject: str, change: Change, of: tuple[Any, ...], numbers: dict[str, float]
) -> Condition:
    unit, value, threshold, baseline = of
    evidence = Evidence(
        "flow_litres_per_h", unit, value, threshold, baseline, 26 * 3600.0, 10, 0.0, numbers
    )
    return Condition(
        rule, subject, change, ONSET, ONSET + 26 * HOUR_US, Severity.WARNING, 0.9, evidence
    )


def samples() -> Iterator[tuple[Condition, Sensor]]:
    """Each thing that can be said as it begins and as it ends."""
    for rule, sensor, of, numbers in _SAID:
        for change in (Change.RAISE, Change.WORSEN, Change.CLEAR):
            ended = numbers | ({"delay_vehicle_h": 12.0} if rule is Rule.CONGESTION else {})
            yield _condition(rule, sensor.id, change, of, ended), sensor
    for subject in ("feed/water", "feed/traffic", "gateway/GW-7"):
        for silent in (1234.0, 900.0):
            silence = {"silent_sensors_1": silent, "sensors_1": 1234.0, "newest_reading_at_s": ONSET / 1e6}  # fmt: skip
            for change in (Change.RAISE, Change.CLEAR):
                of = ("s", 26 * 3600.0, None, None)
                yield _condition(Rule.FEED_SILENT, subject, change, of, silence), METER

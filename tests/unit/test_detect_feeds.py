"""A whole feed or gateway that falls silent: told once, of nobody's sensor, and over when the readings return."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.instant import HOUR_US, SECOND_US
from services.domain.sensor import Sensor, shard_of
from services.domain.subject import SubjectKind, kind_of_subject, name_of_subject
from tests.oracles.feeds import START_US

MINUTE_US = 60 * SECOND_US
FLOW = {Domain.WATER: "flow_litres_per_h", Domain.TRAFFIC: "speed_km_per_h"}
KIND = {Domain.WATER: SensorKind.WATER_METER, Domain.TRAFFIC: SensorKind.TRAFFIC_STATION}


class City:
    """A core, its sensors, and hours in which some of them speak."""

    def __init__(self, water: int, traffic: int = 0, gateways: Sequence[str | None] = ()) -> None:
        kinds = [Domain.WATER] * water + [Domain.TRAFFIC] * traffic
        given = [*gateways, *[None] * (len(kinds) - len(gateways))]
        self.sensors = [
            (i, Sensor(f"S{i}", KIND[domain], gateway=gateway))
            for i, (domain, gateway) in enumerate(zip(kinds, given, strict=True))
        ]
        self.core = Core(DetectorSettings(), self.sensors)
        self.said: list[Condition] = []

    def hour(self, hour: float, speaking: Sequence[int], *, spread: bool = True) -> None:
        """One reading of each of the speaking, spread over the hour; then the clock is asked."""
        begin = START_US + round(hour * HOUR_US)
        for domain in Domain:
            mine = [i for i in speaking if self.sensors[i][1].domain is domain]
            if mine:
                at = np.array(
                    [
                        begin + (i * HOUR_US // len(self.sensors) if spread else 0)
                        for i in sorted(mine)
                    ],
                    np.int64,
                )
                batch = ReadingBatch(
                    domain,
                    np.array(sorted(mine), np.int32),
                    at,
                    at.copy(),
                    np.zeros(len(mine), np.int16),
                    {FLOW[domain]: np.full(len(mine), 50.0) + hour % 7},
                )
                self.take(self.core.step(batch, begin))
        for quarter in range(1, 5):
            self.take(self.core.tick(begin + quarter * HOUR_US // 4))

    def hours(self, first: int, last: int, speaking: Sequence[int]) -> None:
        for hour in range(first, last):
            self.hour(hour, speaking)

    def take(self, conditions: list[Condition]) -> None:
        self.said += [c for c in conditions if c.rule in (Rule.SILENT, Rule.FEED_SILENT)]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(c.subject, c.change.value) for c in self.said]


def at_hour(condition: Condition) -> float:
    return (condition.at_us - START_US) / HOUR_US


def test_a_feed_that_falls_silent_is_one_alert_with_its_numbers_and_clears() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    city.hours(72, 120, [])
    city.hours(120, 160, range(20))
    assert city.told == [("feed/water", "raise"), ("feed/water", "clear")]
    raised, cleared = city.said
    assert raised.rule is Rule.FEED_SILENT
    assert raised.severity is Severity.CRITICAL
    assert 72 + 23 <= at_hour(raised) <= 72 + 24.5  # when the first of them is overdue
    assert raised.evidence.numbers["silent_sensors_1"] == 20
    assert raised.evidence.numbers["sensors_1"] == 20
    assert raised.evidence.missing_share == 1.0
    last_us = START_US + 71 * HOUR_US + 19 * HOUR_US // 20
    assert raised.onset_us == last_us
    assert raised.evidence.numbers["newest_reading_at_s"] == last_us / SECOND_US
    assert raised.evidence.threshold == 24 * 3600
    assert cleared.onset_us == raised.onset_us
    assert at_hour(cleared) <= 121


def test_most_of_a_feed_is_enough_and_the_rest_goes_on_to_be_watched() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    city.hours(72, 100, range(8))
    assert city.told == [("feed/water", "raise")]
    assert city.said[0].evidence.numbers["silent_sensors_1"] == 12
    city.hours(100, 130, range(7))
    assert city.told[1:] == [("S7", "raise")]
    city.hours(130, 132, range(20))
    assert city.told[2:] == [("S7", "clear"), ("feed/water", "clear")]


def test_a_feed_that_dies_in_two_steps_is_one_alert_with_newer_numbers() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    city.hours(72, 100, range(8))
    city.hours(100, 140, [])
    assert city.told == [("feed/water", "raise"), ("feed/water", "update")]
    assert city.said[1].evidence.numbers["silent_sensors_1"] == 20
    assert city.said[1].onset_us == city.said[0].onset_us


def test_less_than_half_is_a_silence_of_each() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    city.hours(72, 100, range(11))
    assert sorted(city.told) == sorted((f"S{i}", "raise") for i in range(11, 20))


@pytest.mark.parametrize("sensors", [1, 2, 3])
def test_a_small_domain_has_sensors_and_no_feed(sensors: int) -> None:
    city = City(sensors)
    city.hours(0, 72, range(sensors))
    city.hours(72, 120, [])
    assert sorted(city.told) == [(f"S{i}", "raise") for i in range(sensors)]


def test_four_sensors_are_a_feed() -> None:
    city = City(4)
    city.hours(0, 72, range(4))
    city.hours(72, 120, [])
    assert city.told == [("feed/water", "raise")]


def test_domains_are_judged_each_by_itself() -> None:
    city = City(10, 10)
    city.hours(0, 72, range(20))
    city.hours(72, 100, range(10))
    assert city.told == [("feed/traffic", "raise")]
    assert at_hour(city.said[0]) <= 72 + 10.5  # ten of their intervals
    city.hours(100, 130, range(10, 20))
    assert city.told[1:] == [("feed/traffic", "clear"), ("feed/water", "raise")]


def test_who_stays_silent_after_the_return_is_told_by_himself_a_whole_limit_later() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    city.hours(72, 120, [])
    city.hours(120, 150, range(18))
    assert city.told[:2] == [("feed/water", "raise"), ("feed/water", "clear")]
    assert sorted(city.told[2:]) == [("S18", "raise"), ("S19", "raise")]
    assert all(144 <= at_hour(c) <= 146 for c in city.said[2:])
    assert city.said[1].evidence.numbers["silent_sensors_1"] >= 2
    assert city.said[2].onset_us < START_US + 72 * HOUR_US


def test_sensors_that_died_one_by_one_do_not_make_the_feed_silent() -> None:
    city = City(10)
    city.hours(0, 48, range(10))
    for gone in range(6):
        city.hours(48 + 30 * gone, 78 + 30 * gone, range(gone + 1, 10))
    assert city.told == [(f"S{i}", "raise") for i in range(6)]
    city.hours(228, 260, [])
    assert city.told[6:] == [("feed/water", "raise")]
    assert city.said[6].evidence.numbers["sensors_1"] == 4


def test_a_feed_of_slow_and_fast_sensors_is_not_told_as_its_fast_ones() -> None:
    city = City(20)
    for hour in range(240):
        city.hour(hour, [*range(8), *(range(8, 20) if hour % 24 == 0 else [])])
    city.hours(240, 300, [])
    assert city.told == [("feed/water", "raise")]
    assert at_hour(city.said[0]) <= 240 + 25


def test_a_domain_that_was_never_heard_is_one_alert_and_over_with_the_first_reading() -> None:
    city = City(12)
    city.hours(0, 30, [])
    assert city.told == [("feed/water", "raise")]
    city.hours(30, 40, [0])
    assert city.told[1:] == [("feed/water", "clear")]
    city.hours(40, 80, [0])
    assert len([c for c in city.said if c.rule is Rule.SILENT]) == 11


def test_a_gateway_is_told_instead_of_its_sensors_and_instead_of_the_feed() -> None:
    gateways = ["GW-1"] * 12 + ["GW-2"] * 8
    city = City(20, gateways=gateways)
    city.hours(0, 72, range(20))
    city.hours(72, 110, range(12, 20))
    assert city.told == [("gateway/GW-1", "raise")]
    assert city.said[0].evidence.numbers["sensors_1"] == 12
    city.hours(110, 112, range(20))
    assert city.told[1:] == [("gateway/GW-1", "clear")]


def test_when_all_is_silent_it_is_the_feed_and_no_gateway() -> None:
    city = City(20, gateways=["GW-1"] * 10 + ["GW-2"] * 10)
    city.hours(0, 72, range(20))
    city.hours(72, 140, [])
    assert city.told == [("feed/water", "raise")]
    city.hours(140, 180, range(10, 20))
    assert city.told[1:] == [("feed/water", "clear"), ("gateway/GW-1", "raise")]


def test_the_state_of_a_silent_feed_survives_in_the_bytes_of_one_shard() -> None:
    city = City(20)
    city.hours(0, 72, range(20))
    states = {shard: city.core.dumps(shard) for shard in range(256)}
    city.hours(72, 100, [])
    assert city.told == [("feed/water", "raise")]
    changed = city.core.changed_shards()
    assert changed == [shard_of("feed/water")]
    states |= {shard: city.core.dumps(shard) for shard in changed}
    again = City(20)
    for shard in sorted(states):
        again.core.loads(shard, states[shard])
    again.hours(100, 130, [])
    assert again.told == []
    again.hours(130, 132, range(20))
    assert again.told == [("feed/water", "clear")]
    assert again.said[0].onset_us == city.said[0].onset_us
    assert again.said[0].change is Change.CLEAR


def test_subjects_say_what_they_are() -> None:
    for subject, kind, name in (
        ("M-17", SubjectKind.SENSOR, "M-17"),
        ("feed:water", SubjectKind.SENSOR, "feed:water"),
        ("feed/water", SubjectKind.FEED, "water"),
        ("gateway/GW 7/b", SubjectKind.GATEWAY, "GW 7/b"),
    ):
        assert kind_of_subject(subject) is kind
        assert name_of_subject(subject) == name


@pytest.mark.parametrize(("every_h", "quiet_h", "told_h"), [(12, 37, 43), (6, 31, 34)])
def test_a_meter_read_seldom_is_not_silent_after_a_pause_shorter_than_the_limit(
    every_h: int, quiet_h: float, told_h: float
) -> None:
    city = City(1)
    for hour in range(0, 240 + 1, every_h):
        city.hour(hour, [0])
    for quarter in range(4, 4 * 100):
        at_h = 240 + quarter / 4
        city.take(city.core.tick(START_US + round(at_h * HOUR_US)))
        if at_h <= quiet_h + 240:
            assert city.told == [], "the reading before a pause of a day may be a cadence old"
    (silent,) = city.said
    assert quiet_h + 240 < at_hour(silent) <= told_h + 240

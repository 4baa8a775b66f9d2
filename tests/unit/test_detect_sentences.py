"""The sentences, word for word: they are read at three in the morning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.detect.words import sentences
from services.detect.words.sentences import sentence
from services.domain.catalogue import SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.instant import HOUR_US, parse_time
from services.domain.sensor import Sensor

METER = Sensor(
    "M-17", SensorKind.WATER_METER, name="Elm Street 4", zone="North", time_zone="Europe/Madrid"
)
STATION = Sensor(
    "A1-12", SensorKind.TRAFFIC_STATION, road="A1", direction="northbound", position_m=9600, time_zone="Europe/Madrid"
)  # fmt: skip
ONSET = parse_time("2026-07-13T20:05:00Z")


def condition(
    rule: Rule,
    unit: str,
    value: float | None,
    threshold: float | None = None,
    baseline: float | None = None,
    window_s: float = 3600.0,
    change: Change = Change.RAISE,
    **numbers: float,
) -> Condition:
    return Condition(
        rule, "x", change, ONSET, ONSET + 26 * HOUR_US, Severity.WARNING, 0.9,
        Evidence("flow_litres_per_h", unit, value, threshold, baseline, window_s, 10, 0.0, numbers),
    )  # fmt: skip


def test_continuous_flow() -> None:
    said = condition(
        Rule.CONTINUOUS_FLOW, "L/h", 15.4, 0.0, window_s=26 * 3600.0,
        chance_by_habit_1=2e-5, litres_so_far=400.0, litres_per_day=369.6,
    )  # fmt: skip
    assert sentence(said, METER) == (
        "Water has been running without a pause at meter Elm Street 4 (M-17), zone North since Mon 13 Jul 22:05 "
        "(26 hours), never below 15 L/h. This meter normally pauses: by its own habit a run this long has a chance of "
        "about 1 in 50,000. About 400 L lost so far, 370 L a day. First: call the customer and have the stop valve "
        "closed for ten minutes; if the meter still turns, the leak is on the service pipe."
    )


def test_burst_in_cubic_metres() -> None:
    said = condition(
        Rule.BURST, "L/h", 12_400.0, 724.0, window_s=3 * 3600.0, litres_so_far=37_200.0
    )
    assert sentence(said, METER) == (
        "Far more water than usual is running at meter Elm Street 4 (M-17), zone North since Mon 13 Jul 22:05: "
        "12.4 m3/h for 3 hours, where 724 L/h is the most it should be. 37.2 m3 so far. First: call the customer now "
        "(burst pipe, open valve, or a pool being filled?); close the valve if nobody answers."
    )


def test_silent_and_never_seen() -> None:
    said = condition(Rule.SILENT, "s", 86_500.0, 86_400.0, cadence_s=900.0, never_seen_1=0.0)
    assert sentence(said, METER) == (
        "No reading from meter Elm Street 4 (M-17), zone North since Mon 13 Jul 22:05: silent for 24 hours, limit "
        "24 hours; it usually reports every 15 minutes. First: check its gateway and neighbours, then battery or "
        "power on site."
    )
    said = condition(Rule.SILENT, "s", 900.0, 900.0, cadence_s=0.0, never_seen_1=1.0)
    assert sentence(said, STATION) == (
        "Nothing has ever been received from station A1-12, A1 northbound at 9.6 km, known since Mon 13 Jul 22:05 "
        "(15 minutes; limit 15 minutes). First: check that the device is installed, powered, and sends under this id."
    )


def test_congestion_says_whether_it_is_usual() -> None:
    said = condition(Rule.CONGESTION, "km/h", 41.6, 64.0, 103.0, recurrent_1=0.0, unusual_1=1.0)
    assert sentence(said, STATION) == (
        "Traffic is slow at station A1-12, A1 northbound at 9.6 km since Mon 13 Jul 22:05: 42 km/h over five minutes, "
        "limit 64 km/h. That is not usual at this hour (usually 103 km/h). First: look at the camera upstream and warn "
        "drivers before the tail of the queue."
    )
    assert " It is slow here at this hour as a rule (usually 45 km/h). First:" in sentence(
        condition(Rule.CONGESTION, "km/h", 41.6, 64.0, 45.0, recurrent_1=1.0), STATION
    )
    assert (
        " It is slow here at this hour as a rule, but not as slow as this (usually 60 km/h)."
        in sentence(
            condition(Rule.CONGESTION, "km/h", 20.0, 64.0, 60.0, recurrent_1=1.0, unusual_1=1.0),
            STATION,
        )
    )
    assert "usual" not in sentence(condition(Rule.CONGESTION, "km/h", 41.6, 64.0), STATION)


def test_slow_for_the_hour_and_not_below_the_limit() -> None:
    said = condition(
        Rule.CONGESTION, "km/h", 76.0, 83.0, 110.0, below_limit_1=0.0, unusual_1=1.0, recurrent_1=0.0
    )  # fmt: skip
    assert sentence(said, STATION) == (
        "Traffic is much slower than usual at station A1-12, A1 northbound at 9.6 km since Mon 13 Jul 22:05: 76 km/h "
        "over five minutes, usually 110 km/h at this hour (alarm below 83 km/h). First: look at the camera downstream "
        "for an accident or a blocked lane."
    )


def test_a_jam_and_an_incident_at_one_station_name_each_other() -> None:
    jam = condition(Rule.CONGESTION, "km/h", 41.6, 64.0, incident_1=1.0)
    assert " The incident just downstream is the likely cause. First:" in sentence(jam, STATION)
    incident = condition(
        Rule.INCIDENT, "km/h", 20.0, 75.0, downstream_km_per_h=101.0, congestion_1=1.0
    )
    assert sentence(incident, STATION) == (
        "An incident is likely just downstream of station A1-12, A1 northbound at 9.6 km since Mon 13 Jul 22:05: "
        "20 km/h here, 101 km/h at the next station. The jam told at this station is its queue. First: look at the "
        "cameras between the two stations; have a patrol ready."
    )


def test_stuck_meter_and_stuck_station() -> None:
    said = condition(Rule.STUCK, "L", 0.0, window_s=13 * 86400.0, longest_earlier_pause_h=30.0)
    assert sentence(said, METER) == (
        "Meter Elm Street 4 (M-17), zone North has counted nothing since Mon 13 Jul 22:05 (13 days); its longest rest "
        "before was 30 hours. The meter may be stuck, or the home empty. First: ask the customer whether anybody is "
        "there, then inspect the meter."
    )
    days17 = 17 * 86400.0
    first = condition(Rule.STUCK, "L", 0.0, window_s=days17, watched_before_h=0.0)
    assert "since it was first heard, Mon 13 Jul 22:05 (17 days). The" in sentence(first, METER)
    busy = condition(Rule.STUCK, "L", 0.0, window_s=days17, watched_before_h=900.0)
    assert "(17 days), and had never rested for an hour before." in sentence(busy, METER)
    said = condition(Rule.STUCK, "km/h", 88.0, window_s=1800.0, unchanged_min=30.0)
    assert sentence(said, STATION) == (
        "The sensor repeats itself: station A1-12, A1 northbound at 9.6 km has reported exactly 88 km/h since "
        "Mon 13 Jul 22:05 (30 minutes). Its traffic alarms are held back. First: restart the sensor's controller; then "
        "inspect it on site."
    )


def test_backflow_night_flow_and_intermittent_leak() -> None:
    assert sentence(condition(Rule.BACKFLOW, "L", -36.0, -3.0, litres_back=36.0), METER).startswith(
        "Water is running backwards through meter Elm Street 4 (M-17), zone North since Mon 13 Jul 22:05: the register "
        "has fallen by 36 L (limit 3 L). First: "
    )
    assert sentence(
        condition(
            Rule.NIGHT_FLOW, "L/h", 160.0, 130.0, 50.0, litres_per_day=2640.0, litres_so_far=7900.0
        ),
        METER,
    ).startswith(
        "The least flow of the night at meter Elm Street 4 (M-17), zone North has risen to 160 L/h, usually 50 L/h, "
        "night after night since Mon 13 Jul 22:05. A leak of about 110 L/h, 2,640 L a day, 7,900 L so "
        "far, is likely. First: "
    )
    assert sentence(
        condition(
            Rule.INTERMITTENT_LEAK,
            "L",
            900.0,
            pause_share_1=0.21,
            usual_pause_share_1=0.7,
            litres_per_day=500.0,
        ),
        METER,
    ).startswith(
        "Pauses have become rare at meter Elm Street 4 (M-17), zone North since Mon 13 Jul 22:05: little or no use in "
        "21 % of the hours, usually 70 %. "
    )


def test_a_sensor_fault_names_its_sign() -> None:
    said = condition(Rule.SENSOR_FAULT, "%", 97.0, 90.0, window_s=600.0, sign_1=1.0)
    assert sentence(said, STATION).startswith(
        "The sensor contradicts itself: station A1-12, A1 northbound at 9.6 km is occupied all the time since "
        "Mon 13 Jul 22:05 (10 minutes). Its traffic alarms are held back."
    )


def test_the_clear_says_how_long_and_how_much() -> None:
    said = condition(Rule.CONTINUOUS_FLOW, "L/h", 15.4, change=Change.CLEAR, litres_so_far=400.0)
    assert sentence(said, METER) == (
        "Over at Wed 15 Jul 00:05: water pauses again at meter Elm Street 4 (M-17), zone North, after 26 hours "
        "(since Mon 13 Jul 22:05). About 400 L in all."
    )


def silent_feed(subject: str, silent: float, change: Change = Change.RAISE) -> str:
    given = condition(
        Rule.FEED_SILENT, "s", 26 * 3600.0, change=change, silent_sensors_1=silent, sensors_1=1234.0,
        newest_reading_at_s=(ONSET + 2 * HOUR_US) / 1e6,
    )  # fmt: skip
    return sentence(replace(given, subject=subject), METER)


def test_a_feed_and_a_gateway_that_fell_silent() -> None:
    assert silent_feed("feed/water", 1234) == (
        "Water readings no longer come: all 1,234 sensors are silent since Mon 13 Jul 22:05 (26 hours), when the "
        "last reading came. They are not reported one by one while this lasts. First: check the network, the "
        "gateways and the message server, and that Citygauge takes readings in; not the single sensors."
    )
    assert silent_feed("gateway/GW-7", 900) == (
        "Readings no longer come through gateway GW-7: 900 of 1,234 sensors are silent since Mon 13 Jul 22:05 "
        "(26 hours); the others speak, the last reading is of Tue 14 Jul 00:05. They are not reported one by one "
        "while this lasts. First: check the gateway's power and its network link, not the meters or stations."
    )
    assert silent_feed("feed/water", 34, Change.CLEAR) == (
        "Over at Wed 15 Jul 00:05: water readings come again, from 1,200 of 1,234 sensors, after 26 hours (since "
        "Mon 13 Jul 22:05). 34 have not spoken yet and are reported by themselves if they stay silent."
    )
    assert silent_feed("gateway/GW-7", 0, Change.CLEAR) == (
        "Over at Wed 15 Jul 00:05: readings come again through gateway GW-7, from 1,234 of 1,234 sensors, after "
        "26 hours (since Mon 13 Jul 22:05)."
    )


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.ALERT_FLOOD])
@pytest.mark.parametrize("change", Change)
def test_every_rule_has_words_for_every_change(rule: Rule, change: Change) -> None:
    given = condition(rule, "L/h", None, change=change)
    if rule is Rule.FEED_SILENT:
        given = replace(given, subject="feed/traffic")
    said = sentence(given, STATION)
    assert ("raffic readings" if rule is Rule.FEED_SILENT else "A1-12") in said
    assert "None" not in said
    assert ("First: " in said) is (change is not Change.CLEAR)
    assert set(sentences._RAISES) == set(sentences._CLEARS) == set(Rule) - {Rule.ALERT_FLOOD}

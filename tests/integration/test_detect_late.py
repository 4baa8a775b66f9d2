"""Late readings on the real database: what they reveal is told once, and says that it is known late."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.metrics import DetectMetrics
from services.detect.words.sentences import sentence
from services.domain.alert import EventKind
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain
from services.domain.condition import Condition
from services.domain.instant import HOUR_US, from_us, isoformat, to_us
from services.domain.sensor import Sensor
from services.store.alerting.alerts import AlertRepository
from services.store.connection import connect, transaction
from services.store.feed import append
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter
from tests.ingest_worker import Publisher, committed, working
from tests.integration.detecting import (
    SETTINGS,
    START_US,
    SmallCore,
    batch_of,
    feed,
    meters,
    small_core,
)
from tests.integration.runners import (
    check_log_folds_to_rows,
    drain,
    kinds,
    log,
    runner,
    told,
    value,
)
from tests.oracles.feeds import home


def core(sensors: Sequence[tuple[int, Sensor]]) -> Core:
    return Core(DetectorSettings(), sensors)


def deliver(url: str, number: int, register: np.ndarray, hours: Sequence[int]) -> ReadingBatch:
    """Store and feed a meter's registers of these hours as ingest does; returns what was new of them."""
    at = np.array([START_US + hour * HOUR_US for hour in hours], np.int64)
    batch = ReadingBatch(
        Domain.WATER,
        np.full(len(hours), number, np.int32),
        at,
        np.full(len(hours), max(int(at.max()), START_US + 24 * 24 * HOUR_US)),
        np.zeros(len(hours), np.int16),
        {"register_litres": register[list(hours)]},
    )
    with connect(url, "test", autocommit=True) as conn, transaction(conn):
        accepted = ReadingWriter(conn).write(batch).accepted
        append(conn, accepted)
    return accepted


def burst_on_day_22() -> np.ndarray:
    use = home(24 * 24)
    use[22 * 24 : 22 * 24 + 8] += 900
    register: np.ndarray = 1000.0 + np.cumsum(use)
    return register


DAY_22 = list(range(22 * 24, 23 * 24))
REST = [hour for hour in range(24 * 24) if hour not in DAY_22]


def test_a_day_that_comes_late_reveals_its_burst_once_and_says_so(database_url: str) -> None:
    number = meters(database_url, "m1")["m1"]
    register = burst_on_day_22()
    metrics = DetectMetrics()
    with runner(database_url, make=core, say=sentence, metrics=metrics) as work:
        deliver(database_url, number, register, REST)
        drain(work)
        before = told(database_url)
        assert not any("burst" in text.lower() for _, text in before)
        deliver(database_url, number, register, DAY_22)
        drain(work)
    after = log(database_url)[len(before) :]
    raised = [e.event for e in after if e.event.kind is EventKind.RAISED]
    [burst] = [event for event in raised if event.data["rule"] == "burst"]
    started = datetime.fromisoformat(str(burst.data["started_at"]))
    assert from_us(START_US + 22 * 24 * HOUR_US) >= started >= from_us(START_US + 21 * 24 * HOUR_US)
    assert burst.at >= from_us(START_US + 23 * 24 * HOUR_US), "it is told when it is known"
    assert " Known late: it rests on data that arrived at " in str(burst.data["sentence"])
    numbers = burst.data["evidence"]["numbers"]  # type: ignore[index]
    in_time = from_us(round(numbers["in_time_told_unix_s"] * 1e6))
    assert started < in_time < started + (burst.at - started) / 2
    ends = [e.event for e in after if e.event.alert_id == burst.alert_id]
    assert [event.kind.value for event in ends] == ["raised", "cleared"], "it was over by then"
    assert value(metrics, "citygauge_detect_late_readings_total") == 24
    assert value(metrics, "citygauge_detect_judged_again_sensors_total") == 1
    check_log_folds_to_rows(database_url)
    with runner(database_url, make=core, say=sentence) as work:
        drain(work)
        # what comes again, and a correction of what is stored, changes nothing: the first value wins
        assert not len(deliver(database_url, number, register, DAY_22))
        assert not len(deliver(database_url, number, register + 5000, DAY_22))
        drain(work)
    assert len(log(database_url)) == len(before) + len(after)


def test_an_open_alert_says_that_it_would_have_been_told_earlier(database_url: str) -> None:
    one = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 9, 150.0)])
        drain(work)
        feed(database_url, [(one, 5, 160.0)], [(one, 6, 170.0)])
        drain(work)
        assert kinds(database_url) == ["raised", "updated"]
        kind, text = told(database_url)[-1]
        assert text.endswith("; in time they would have told it at Sun 1 Mar 00:05.")
        feed(database_url, [(one, 10, 2000.0)])
        drain(work)
        kind, text = told(database_url)[-1]
        assert (kind, "Known late" in text) == ("escalated", True), "it is not forgotten"
        feed(database_url, [(one, 7, 150.0)], [(one, 11, 10.0)])
        drain(work)
    assert kinds(database_url) == ["raised", "updated", "escalated", "cleared"]
    check_log_folds_to_rows(database_url)


def test_what_was_over_before_the_open_alert_began_is_a_case_of_its_own_told_once(
    database_url: str,
) -> None:
    one = meters(database_url, "m1")["m1"]
    with runner(database_url) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 20, 150.0)])
        drain(work)
        assert kinds(database_url) == ["raised"]
        feed(database_url, [(one, 5, 160.0), (one, 8, 10.0), (one, 12, 170.0), (one, 14, 10.0)])
        drain(work)
        assert kinds(database_url) == ["raised", "raised", "cleared", "raised", "cleared"]
        feed(database_url, [(one, 6, 180.0)])  # within what is known by now
        drain(work)
    with runner(database_url) as work:
        drain(work)
        assert kinds(database_url) == ["raised", "raised", "cleared", "raised", "cleared"]
        feed(database_url, [(one, 25, 10.0)])
        drain(work)
    with connect(database_url, "test", autocommit=True) as conn:
        found = AlertRepository(conn).page(limit=9, now=from_us(START_US), subject="m1").items
    minutes = {(to_us(alert.started_at) - START_US) // 60_000_000 for alert in found}
    assert minutes == {5, 12, 20}
    late = [alert for alert in found if to_us(alert.started_at) < START_US + 20 * 60_000_000]
    assert all(alert.group_id == alert.id for alert in late), "they tell of another event"
    assert all(alert.told_at is not None and alert.cleared_at is not None for alert in late)
    assert all(not alert.active for alert in found), "the open alert has ended by itself"
    assert "Known late: it rests on data that arrived at " in told(database_url)[1][1]
    check_log_folds_to_rows(database_url)


def test_late_data_that_disprove_an_alert_clear_it(database_url: str) -> None:
    one, two = meters(database_url, "m1", "m2").values()

    class Jumpy(SmallCore):
        """Takes a pause of more than three minutes before a high reading for a burst."""

        def step(self, batch: ReadingBatch, now_us: int) -> list[Condition]:
            said = []
            for row in range(len(batch)):
                one = batch.take(np.array([row]))
                pause_us = one.observed_us[0] - self.newest_us(one.sensor)[0]
                if pause_us < 180e6:
                    one = replace(one, metrics={"flow_litres_per_h": np.array([10.0])})
                said += super().step(one, now_us)
            return said

    def make(sensors: Sequence[tuple[int, Sensor]]) -> SmallCore:
        made = Jumpy()
        made.add_sensors(sensors)
        return made

    with runner(database_url, make=make) as work:
        feed(database_url, [(one, 1, 10.0), (two, 1, 10.0)], [(one, 8, 150.0), (two, 8, 150.0)])
        drain(work)
        assert kinds(database_url) == ["raised", "raised"]
        feed(database_url, [(one, 6, 20.0)])
        drain(work)
    assert kinds(database_url) == ["raised", "raised", "cleared"]
    assert "disprove it" in told(database_url)[-1][1]
    with connect(database_url, "test", autocommit=True) as conn:
        [still] = AlertRepository(conn).open_alerts()
    assert still.subject == "m2"


def bursts(rows: Sequence[tuple[int, float, float]]) -> dict[int, int]:
    """Sensor -> onset of the burst that is on at the end, of rows taken in the order of time."""
    truth = small_core([(n, Sensor(f"m{n}", "water_meter")) for n in {n for n, _, _ in rows}])  # type: ignore[arg-type]
    for row in sorted(rows, key=lambda row: row[1]):
        truth.step(batch_of([row]), 0)
    return {n: memory.burst for n, memory in truth.state.items() if memory.burst is not None}


@pytest.mark.parametrize(("seed", "slice_ms"), [(1, 10_000.0), (2, 10_000.0), (3, 0.0)])
def test_whatever_comes_late_and_wherever_it_crashes_nothing_is_told_twice(
    database_url: str, seed: int, slice_ms: float
) -> None:
    chance = random.Random(seed)
    settings = SETTINGS.model_copy(update={"late_slice_ms": slice_ms})
    names = [f"m{i}" for i in range(1, 4)]
    numbers = list(meters(database_url, *names).values())
    rows = [
        (number, float(minute), chance.choice([5.0, 20.0, 70.0, 150.0]))
        for minute in range(1, 30)
        for number in numbers
    ]
    order = sorted(rows, key=lambda row: row[1] + chance.choice([0, 0, 0, 4, 9]))
    batches = [order[i : i + 4] for i in range(0, len(order), 4)]
    while batches:
        with runner(database_url, settings) as work:
            for _ in range(chance.randint(1, 9)):
                match chance.choice(["feed", "feed", "work", "save"]):
                    case "feed" if batches:
                        feed(database_url, batches.pop(0))
                    case "save":
                        work.save()
                    case _:
                        work.work()
    with runner(database_url) as work:
        drain(work)
        work.work()
    check_log_folds_to_rows(database_url)
    raised: dict[object, int] = {}
    for entry in log(database_url):
        raised[entry.event.alert_id] = raised.get(entry.event.alert_id, 0) + (
            entry.event.kind is EventKind.RAISED
        )
    assert set(raised.values()) == {1}
    with connect(database_url, "test", autocommit=True) as conn:
        found = {a.subject for a in AlertRepository(conn).open_alerts() if a.rule == "burst"}
    assert found == {f"m{numbers.index(n) + 1}" for n in bursts(rows)}


def test_marks_outlive_a_crash_between_a_late_batch_and_its_judgement(database_url: str) -> None:
    one = meters(database_url, "m1")["m1"]
    later = SETTINGS.model_copy(update={"late_s": 3600.0, "checkpoint_s": 0})
    with runner(database_url, later) as work:
        feed(database_url, [(one, 1, 10.0)], [(one, 9, 10.0)], [(one, 3, 10.0)])
        drain(work)  # the first judgement of this run; the next one is due in an hour
        feed(database_url, [(one, 5, 150.0)])
        drain(work)
        assert kinds(database_url) == []
    with runner(database_url) as work:
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    assert "burst at m1 raise 150.0 Known late" in told(database_url)[0][1]


def test_a_sensor_that_moves_to_another_zone_is_known_there_with_its_state(
    database_url: str,
) -> None:
    one = meters(database_url, "m1")["m1"]
    made: list[SmallCore] = []

    def make(sensors: Sequence[tuple[int, Sensor]]) -> SmallCore:
        made.append(small_core(sensors))
        return made[-1]

    with runner(database_url, make=make) as work:
        feed(database_url, [(one, 1, 150.0)])
        drain(work)
        with connect(database_url, "test", autocommit=True) as conn:
            registry = SensorRepository(conn)
            registry.upsert([replace(registry.get("m1"), zone="North", name="Elm Street 4")])
        work.work()
        assert any(each.sensors[one].zone == "North" and each.state for each in made)
        work.save()
        feed(database_url, [(one, 2, 160.0)], [(one, 3, 10.0)])
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    with runner(database_url) as work:
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]


def test_a_new_description_costs_a_leak_in_progress_nothing(database_url: str) -> None:
    one, two = meters(database_url, "m1", "m2").values()
    use = home(24 * 24)
    use[22 * 24 :] += 40
    register: np.ndarray = 1000.0 + np.cumsum(use)
    with runner(database_url, make=core, say=sentence) as work:
        for hours in (range(22 * 24 + 6), range(22 * 24 + 6, 24 * 24)):
            for number in (one, two):
                deliver(database_url, number, register, list(hours))
            drain(work)
            with connect(database_url, "test", autocommit=True) as conn:
                registry = SensorRepository(conn)
                registry.upsert([replace(registry.get("m1"), zone="North", cadence_s=3600.0)])
    raised = [
        entry.event
        for entry in log(database_url)
        if entry.event.data.get("rule") == "continuous_flow"
    ]
    leaks = {event.data["subject"]: event for event in raised}
    assert (set(leaks), len(raised)) == ({"m1", "m2"}, 2)
    assert leaks["m1"].at == leaks["m2"].at
    assert leaks["m1"].data["started_at"] == leaks["m2"].data["started_at"]
    assert "zone North" in str(leaks["m1"].data["sentence"])


def test_a_day_that_comes_late_over_the_broker_reveals_its_burst(
    database_url: str, mqtt_url: str, device_mqtt_url: str
) -> None:
    meters(database_url, "m1")
    register = burst_on_day_22()

    def columns(hours: Sequence[int]) -> dict[str, object]:
        times = [isoformat(START_US + hour * HOUR_US) for hour in hours]
        values = {"time": times, "register": [float(register[hour]) for hour in hours]}
        return {"units": {"register": "L"}, "columns": values}

    topic = "citygauge/v1/water/m1/reading"
    with (
        working(database_url, mqtt_url, worker="late"),
        Publisher(device_mqtt_url, "late") as device,
        runner(database_url, make=core, say=sentence) as work,
    ):
        for stored, hours in ((len(REST), REST), (24 * 24, DAY_22), (24 * 24 + 24, DAY_22)):
            device.publish(topic, columns(hours))
            device.settle()
            committed(database_url, stored)
            drain(work)
    bursts_told = [text for kind, text in told(database_url) if kind == "raised" and "urst" in text]
    assert len(bursts_told) == 1
    assert "Known late: it rests on data that arrived at " in bursts_told[0]
    [over] = [
        text for kind, text in told(database_url) if kind == "cleared" and "back to normal" in text
    ]
    length = re.search(r"after (\d+) hours", over)
    assert length is not None, over
    assert int(length[1]) < 24, "it says when it was over, not when it was told"


def test_a_past_on_which_the_detectors_fail_is_left_and_said(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = meters(database_url, "m1")["m1"]
    made: list[SmallCore] = []

    def make(sensors: Sequence[tuple[int, Sensor]]) -> SmallCore:
        made.append(small_core(sensors))
        made[-1].poison = 150.0 if len(made) > 1 else -1.0
        return made[-1]

    metrics = DetectMetrics()
    with runner(database_url, make=make, metrics=metrics) as work:
        feed(
            database_url, [(one, 1, 150.0)], [(one, 9, 160.0)], [(one, 5, 170.0)], [(one, 10, 5.0)]
        )
        drain(work)
        drain(work)
    assert kinds(database_url) == ["raised", "cleared"]
    assert "sensors cannot be judged again: sensors=1" in caplog.text
    assert value(metrics, "citygauge_detect_failed_steps_total") == 1

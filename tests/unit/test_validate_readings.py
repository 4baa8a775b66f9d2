"""Validation: limits of the clock, plausibility, lateness, unknown sensors, and how rejected parts are kept."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from services.detect.ticks import TICK_US
from services.domain.batch import ReadingBatch
from services.domain.catalogue import CATALOGUE, Domain, DomainTable, SensorKind
from services.domain.instant import HOUR_US, SECOND_US, parse_time
from services.domain.quality import Quality
from services.domain.rejection import RejectReason
from services.domain.sensor import Sensor
from services.ingest.intake import kind_for
from services.ingest.messages import Messages
from services.ingest.parts import assembler_of
from services.ingest.prepared import Prepared
from services.ingest.preview import decode_preview
from services.ingest.sensor_table import UNKNOWN, SensorTable
from services.ingest.settings import IngestSettings
from services.ingest.validate import behind
from services.ingest.waves import divide

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW_US = parse_time("2026-11-22T12:00:00Z")
SENSORS = [
    Sensor("m1", SensorKind.WATER_METER),
    Sensor("m2", SensorKind.WATER_METER, unit="m3"),
    Sensor("t1", SensorKind.TRAFFIC_STATION),
]


def reading(us: int, value: float = 1.0, **more: object) -> dict[str, object]:
    return {"time": us, "values": {"register": value}, "units": {"register": "L"}, **more}


def table() -> SensorTable:
    sensors = SensorTable()
    sensors.update(enumerate(SENSORS, start=1), 1)
    return sensors


def judge(
    *bodies: object, sensors: SensorTable | None = None, settings: IngestSettings | None = None
) -> Prepared:
    assembler = assembler_of(settings or IngestSettings())
    payloads = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    topics = [b"citygauge/v1/water/m1/reading"] * len(payloads)
    messages = Messages(topics, payloads, [NOW_US] * len(payloads))
    prepared = Prepared(messages)
    sensors = sensors or table()
    assembler.judge(assembler.decode(messages, sensors, prepared), sensors, prepared)
    return prepared


def qualities(prepared: Prepared) -> list[Quality]:
    return [Quality(int(bits)) for rows in prepared.rows for bits in rows.batch.quality]


def reasons(prepared: Prepared) -> list[RejectReason]:
    return [kept.rejection.reason for kept in prepared.kept]


@pytest.mark.parametrize(
    ("offset_us", "expected"),
    [
        (0, Quality.GOOD),
        (60 * SECOND_US, Quality.GOOD),
        (60 * SECOND_US + 1, Quality.SUSPECT_CLOCK),
        (HOUR_US, Quality.SUSPECT_CLOCK),
        (HOUR_US + 1, RejectReason.TIME_IN_FUTURE),
        (-26 * HOUR_US, Quality.GOOD),
        (-26 * HOUR_US - 1, Quality.LATE),
        (parse_time("2000-01-01T00:00:00Z") - NOW_US, Quality.LATE),
    ],
)
def test_limits_of_the_clock(offset_us: int, expected: object) -> None:
    prepared = judge(reading(NOW_US + offset_us))
    assert [*qualities(prepared), *reasons(prepared)] == [expected]


def test_before_2000_is_no_time() -> None:
    assert reasons(judge(reading(946_684_799))) == [RejectReason.TIME_TOO_OLD]
    assert reasons(judge(reading(-1e10))) == [RejectReason.TIME_TOO_OLD]


def test_milliseconds_are_read_as_such() -> None:
    prepared = judge(reading(NOW_US // 1000))
    assert prepared.rows[0].batch.observed_us.tolist() == [NOW_US]


def test_never_late_by_age_when_the_limit_is_zero() -> None:
    settings = IngestSettings(late_after_s=0)
    assert qualities(judge(reading(NOW_US - 10_000 * HOUR_US), settings=settings)) == [Quality.GOOD]


def test_the_implausible_is_marked_and_stored_as_it_is() -> None:
    prepared = judge(reading(NOW_US, -5.0))
    assert qualities(prepared) == [Quality.IMPLAUSIBLE]
    assert prepared.rows[0].batch.metrics["register_litres"].tolist() == [-5.0]


def test_estimated_is_carried() -> None:
    assert qualities(judge(reading(NOW_US, quality="estimated"))) == [Quality.ESTIMATED]


def test_out_of_order_is_late_within_a_run_and_across_runs() -> None:
    sensors = table()
    first = judge(reading(NOW_US - 30), reading(NOW_US - 50), reading(NOW_US - 40), sensors=sensors)
    assert qualities(first) == [Quality.GOOD, Quality.LATE, Quality.LATE]
    second = judge(reading(NOW_US - 31), reading(NOW_US - 30), sensors=sensors)
    assert qualities(second) == [Quality.LATE, Quality.GOOD]
    other = judge(reading(NOW_US - 90, sensor_id="m2"), sensors=sensors)
    assert qualities(other) == [Quality.GOOD]


def test_a_clock_that_runs_ahead_does_not_make_the_next_reading_late() -> None:
    sensors = table()
    judge(reading(NOW_US + HOUR_US // 2), sensors=sensors)
    assert qualities(judge(reading(NOW_US + 61 * SECOND_US), sensors=sensors)) == [
        Quality.SUSPECT_CLOCK
    ]


def test_what_is_stored_already_counts_for_the_order() -> None:
    sensors = table()
    sensors.prime(np.array([1]), {1: NOW_US})
    assert qualities(judge(reading(NOW_US - 1), sensors=sensors)) == [Quality.LATE]


def test_unknown_sensor_and_wrong_domain() -> None:
    prepared = judge(reading(NOW_US, sensor_id="nobody"), reading(NOW_US, sensor_id="t1"))
    assert reasons(prepared) == [RejectReason.UNKNOWN_SENSOR, RejectReason.WRONG_DOMAIN]
    assert [kept.rejection.sensor_id for kept in prepared.kept] == ["nobody", "t1"]
    assert prepared.readings == 2


def test_a_message_that_is_rejected_alike_is_kept_whole() -> None:
    body = [reading(NOW_US, sensor_id="x"), reading(NOW_US + 1, sensor_id="x")]
    prepared = judge(body)
    (kept,) = prepared.kept
    assert kept.rejection.readings == 2
    assert json.loads(kept.rejection.payload) == body


def test_otherwise_its_parts_are_kept_one_by_one() -> None:
    body = [reading(NOW_US, sensor_id="x"), reading(NOW_US), reading(1.0), 7]
    prepared = judge(body)
    assert reasons(prepared) == [
        RejectReason.WRONG_TYPE,
        RejectReason.UNKNOWN_SENSOR,
        RejectReason.TIME_TOO_OLD,
    ]
    kept = [json.loads(each.rejection.payload) for each in prepared.kept]
    assert kept == [7, body[0], body[2]]
    assert prepared.readings == 4


def test_a_kept_body_is_bounded_and_its_size_told() -> None:
    settings = IngestSettings(keep_payload_bytes=10)
    (kept,) = judge(b"x" * 50, settings=settings).kept
    assert kept.rejection.payload == b"x" * 10
    assert kept.rejection.full_size == 50


def test_a_message_that_was_cut_is_too_large() -> None:
    assembler = assembler_of(IngestSettings())
    messages = Messages(
        [b"citygauge/v1/water/m1/reading"], [b"{" * 9], [NOW_US], set(), {0: 999_999}
    )
    prepared = Prepared(messages)
    assert assembler.decode(messages, table(), prepared) == []
    (kept,) = prepared.kept
    assert kept.rejection.reason is RejectReason.TOO_LARGE
    assert kept.rejection.full_size == 999_999


def test_a_topic_that_nobody_takes() -> None:
    assembler = assembler_of(IngestSettings())
    messages = Messages(
        [b"other/topic", b"citygauge/v1/\xff/m1/reading"], [b"{}"] * 2, [NOW_US] * 2
    )
    prepared = Prepared(messages)
    assembler.decode(messages, table(), prepared)
    assert reasons(prepared) == [RejectReason.UNKNOWN_TOPIC] * 2


def test_the_table_grows_and_follows_changes() -> None:
    sensors = SensorTable()
    sensors.update([(5_000, Sensor("far", SensorKind.TRAFFIC_LANE, unit="1"))], 7)
    assert sensors.numbers(["far", "nobody"]).tolist() == [5_000, UNKNOWN]
    assert sensors.unit_of("far") == "1"
    sensors.update([(5_000, Sensor("far", SensorKind.TRAFFIC_LANE))], 8)
    assert sensors.unit_of("far") is None
    assert sensors.marker == 8
    assert sensors.in_domain(np.array([5_000]), Domain.TRAFFIC).tolist() == [True]
    assert sensors.unprimed(np.array([5_000, 5_000])).tolist() == [5_000]


def test_behind_looks_at_earlier_rows_of_the_same_sensor_only() -> None:
    late = behind(np.array([1, 2, 1, 2]), np.array([5, 1, 4, 2]), np.array([0, 0, 0, 0]))
    assert late.tolist() == [False, False, True, False]


def test_waves_hold_each_key_once() -> None:
    nan = np.nan
    batch = ReadingBatch(
        Domain.WATER,
        np.array([1, 1, 1, 2, 1], dtype=np.int32),
        np.array([9, 9, 9, 9, 9]),
        np.zeros(5, dtype=np.int64),
        np.zeros(5, dtype=np.int16),
        {
            "register_litres": np.array([1.0, nan, 2.0, 1.0, 1.0]),
            "battery_pct": np.array([nan, 50.0, nan, nan, 50.0]),
        },
    )
    waves = divide(batch)
    assert [rows.tolist() for rows in waves.rows] == [[0, 3], [1]]
    assert waves.duplicate == [2, 4]
    assert waves.conflicting == 1


@pytest.mark.parametrize(
    ("domain", "columns", "kind"),
    [
        (Domain.WATER, ["register_litres", "flow_litres_per_h"], SensorKind.WATER_METER),
        (Domain.WATER, ["pressure_kpa"], SensorKind.PRESSURE),
        (Domain.WATER, ["level_m"], SensorKind.TANK_LEVEL),
        (Domain.WATER, ["flow_litres_per_h", "pressure_kpa"], SensorKind.DMA_INLET),
        (Domain.WATER, ["battery_pct"], SensorKind.WATER_METER),
        (Domain.TRAFFIC, ["count_veh"], SensorKind.TRAFFIC_STATION),
    ],
)
def test_who_is_registered_as_what(domain: Domain, columns: list[str], kind: SensorKind) -> None:
    assert kind_for(domain, columns) is kind


@pytest.mark.parametrize("table_", CATALOGUE.values(), ids=lambda table_: table_.domain.value)
def test_a_stranger_of_every_domain_and_metric_has_a_kind_of_that_domain(
    table_: DomainTable,
) -> None:
    assert kind_for(table_.domain, []) in table_.kinds
    for metric in table_.metrics:
        assert kind_for(table_.domain, [metric.column]) in table_.kinds
    assert table_.domain in TICK_US


def test_preview_says_what_would_be_stored_and_why_not() -> None:
    body = json.dumps([reading(NOW_US), reading(NOW_US, sensor_id="nobody")]).encode()
    topic = "citygauge/v1/water/m1/reading"
    stored, refused = decode_preview(topic, body, SENSORS, NOW)
    assert stored == {
        "stored": True,
        "domain": "water",
        "sensor_id": "m1",
        "time": "2026-11-22T12:00:00Z",
        "values": {"register_litres": 1.0},
        "units": {"register_litres": "L"},
        "quality": [],
    }
    assert refused["reason"] == "unknown_sensor"
    assert all(each["stored"] for each in decode_preview(topic, body, None, NOW))
    assert decode_preview(topic, b"x" * 300_000, None, NOW)[0]["reason"] == "too_large"

"""Figures by week, worked out by hand beside what the database says; and what a spreadsheet may not compute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.domain.alert import Alert, EventKind, Verdict
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Evidence, Rule, Severity
from services.domain.errors import InvalidInput
from services.domain.judgement import OF_SENSORS, was_right
from services.domain.performance import Performance
from services.domain.sensor import Sensor
from services.store.alerting import performance_statements as statements
from services.store.alerting.alerts import AlertRepository
from services.store.alerting.performance import performance, weeks_of
from services.store.connection import Connection, connect
from tests.api_server import Api, register, say

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = MONDAY + timedelta(days=10)
SENSORS = [
    Sensor("m-1", SensorKind.WATER_METER, name="=HYPERLINK(1)", time_zone="Europe/Madrid"),
    Sensor("m-2", SensorKind.WATER_METER, time_zone="Europe/Madrid"),
    Sensor("t-1", SensorKind.TRAFFIC_STATION, road="M-30", time_zone="Europe/Madrid"),
]


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    register(database_url, SENSORS)
    with connect(database_url, "test", autocommit=True) as connection:
        yield connection


def leak(url: str, hours: float, subject: str = "m-1", length: float = 2, **facts: object) -> Alert:
    """A leak that begins so many hours after Monday, is told an hour later, and ends `length` hours after that."""
    onset = MONDAY + timedelta(hours=hours)
    told = onset + timedelta(hours=1)

    def evidence(litres: float) -> Evidence:
        numbers = {"litres_so_far": litres, "litres_per_day": 240.0}
        return Evidence("flow_litres_per_h", "L/h", 10.0, 4.0, None, 3600.0, 4, 0.0, numbers)

    given = {"subject": subject, "onset": onset, "severity": Severity.WARNING, **facts}
    alert = say(url, at=told, evidence=evidence(10.0), **given)  # type: ignore[arg-type]
    if length:
        over = told + timedelta(hours=length)
        say(url, change=Change.CLEAR, at=over, evidence=evidence(10 + 10 * length), **given)  # type: ignore[arg-type]
    return alert


def figures(conn: Connection, **facts: object) -> Performance:
    wanted = {"start": MONDAY, "end": MONDAY + timedelta(days=10), "now": NOW, "time_zone": "UTC"}
    return performance(conn, **{**wanted, **facts})  # type: ignore[arg-type]


def judge(conn: Connection, alert: Alert, verdict: str) -> None:
    AlertRepository(conn).act(alert.id, EventKind.RESOLVED, "ada", NOW, {"verdict": verdict})


def test_a_quiet_city_has_weeks_of_nothing(conn: Connection) -> None:
    first, second = figures(conn).weeks
    assert (first.alarms.hours, second.alarms.hours) == (168.0, 72.0)
    assert (first.alarms.told, first.alarms.per_operator_hour) == (0, 0.0)
    assert (first.work.precision, first.work.litres_saved) == (None, 0.0)


def test_the_alarm_system_is_counted_as_people_hear_it(database_url: str, conn: Connection) -> None:
    for n in range(12):
        leak(database_url, 20, subject=f"x-{n}", length=0)
    for minute in (0, 20, 40):
        leak(database_url, 30 + minute / 60, length=0.1)
    leak(database_url, 150, "m-2", severity=Severity.CRITICAL, length=0)
    week, next_week = figures(conn, operators=2.0).weeks
    alarms = week.alarms
    assert (alarms.told, alarms.raised, alarms.warning, alarms.critical) == (16, 16, 15, 1)
    assert alarms.per_operator_hour == round(16 / 336, 4)
    assert alarms.peak_10_min == 12
    assert alarms.flood_share == round(1 / (168 * 6), 4)
    assert alarms.chattering == 1
    assert (alarms.stale, alarms.standing) == (12, 13)
    assert (next_week.alarms.stale, next_week.alarms.standing) == (13, 13)
    assert alarms.frequent_share == round(12 / 16, 4)
    often = figures(conn).frequent[0]
    assert (often.rule, often.subject, often.told) == ("burst", "m-1", 3)


def test_the_work_is_measured_by_what_people_said(database_url: str, conn: Connection) -> None:
    repository = AlertRepository(conn)
    real = leak(database_url, 10, length=4)
    for kind, minutes, data in (
        (EventKind.ACKNOWLEDGED, 30, {}),
        (EventKind.PROGRESSED, 180, {"work": "repaired"}),
    ):
        repository.act(real.id, kind, "ada", real.raised_at + timedelta(minutes=minutes), data)
    twin = leak(database_url, 10, length=4, rule=Rule.CONTINUOUS_FLOW, group=real)
    use = leak(database_url, 40, "m-2", length=1)
    silent = leak(database_url, 60, "m-2", rule=Rule.SILENT, length=1)
    broken = leak(database_url, 80, "m-2", length=1)
    for alert, verdict in (
        (real, "real"),
        (twin, "real"),
        (use, "legitimate_use"),
        (silent, "sensor_fault"),  # what a rule about sensors looks for
        (broken, "sensor_fault"),
    ):
        judge(conn, alert, verdict)
    leak(database_url, 100, "m-2", length=0)
    work = figures(conn).weeks[0].work
    assert (work.real, work.sensor_fault, work.legitimate_use, work.open) == (2, 2, 1, 1)
    assert work.precision == round(3 / 5, 4)
    assert work.awareness_h == 1.0
    assert work.acknowledgement_min == 30.0
    assert work.repair_h == 3.5  # of 3 hours to "repaired", and 4 to normal
    # the real leak is one though two rules saw it; the silence told of litres too, and the open one of ten
    assert work.litres_lost == 50.0 + 20.0 + 10.0
    assert work.litres_saved == 240.0 * 30 - 50.0
    rules = {each.rule: (each.right, each.wrong) for each in figures(conn).rules}
    assert rules["burst"] == (1, 2)
    assert rules["silent"] == (1, 0)


def test_the_database_calls_right_and_wrong_what_the_domain_does(conn: Connection) -> None:
    asked = [(rule, verdict) for rule in Rule for verdict in (*Verdict, None)]
    found = conn.execute(
        f"SELECT coalesce({statements.RIGHT}, false), coalesce({statements.WRONG}, false)"
        " FROM unnest(%(rules)s::text[], %(verdicts)s::text[]) WITH ORDINALITY AS case_ (rule, verdict, place)"
        " ORDER BY place",
        {
            "rules": [rule.value for rule, _ in asked],
            "verdicts": [verdict and verdict.value for _, verdict in asked],
            "of_sensors": [rule.value for rule in OF_SENSORS],
        },
    ).fetchall()
    told = [was_right(rule, verdict) for rule, verdict in asked]
    assert found == [(each is True, each is False) for each in told]
    assert was_right(Rule.STUCK, Verdict.SENSOR_FAULT)
    assert was_right(Rule.BURST, Verdict.SENSOR_FAULT) is False


def test_a_domain_is_counted_by_itself(database_url: str, conn: Connection) -> None:
    leak(database_url, 10)
    jam = Evidence(
        "speed_km_per_h", "km/h", 9.0, 40.0, None, 60.0, 4, 0.0, {"delay_vehicle_h": 7.5}
    )
    onset = MONDAY + timedelta(hours=5)
    say(database_url, subject="t-1", rule=Rule.CONGESTION, onset=onset, evidence=jam)
    traffic = figures(conn, domain=Domain.TRAFFIC).weeks[0]
    assert (traffic.alarms.told, traffic.work.vehicle_hours) == (1, 7.5)
    assert figures(conn, domain=Domain.WATER).weeks[0].work.vehicle_hours == 0.0
    assert figures(conn).weeks[0].alarms.told == 2


def test_weeks_begin_on_local_mondays_and_differ_where_clocks_change() -> None:
    madrid = ZoneInfo("Europe/Madrid")
    spring = weeks_of(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC), madrid)
    assert [(ends - begins).total_seconds() / 3600 for begins, ends in spring] == [168.0, 168.0]
    hours = [
        (ends.astimezone(UTC) - begins.astimezone(UTC)).total_seconds() / 3600
        for begins, ends in spring
    ]
    assert hours == [167.0, 168.0]
    with pytest.raises(InvalidInput):
        weeks_of(MONDAY, MONDAY, madrid)
    with pytest.raises(InvalidInput):
        weeks_of(MONDAY - timedelta(days=3000), MONDAY, madrid)


def test_over_http_as_json_and_as_csv_that_no_spreadsheet_computes(
    api: Api, reader: httpx.Client
) -> None:
    register(api.database_url, SENSORS)
    leak(api.database_url, 10)
    asked = {"start": MONDAY.isoformat(), "end": NOW.isoformat()}
    found = reader.get("/v1/performance", params=asked).json()
    assert found["time_zone"] == "Europe/Madrid"
    assert found["targets"]["per_operator_hour"] == 6.0
    assert found["weeks"][0]["week"] == "2026-03-02"
    assert found["weeks"][0]["starts_at"] == "2026-03-01T23:00:00Z"
    assert found["frequent"][0]["name"] == "=HYPERLINK(1)"

    answer = reader.get("/v1/performance", params={**asked, "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    weeks = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["week"] for row in weeks] == ["2026-03-02", "2026-03-09"]
    assert (weeks[0]["told"], weeks[0]["litres_lost"], weeks[0]["precision"]) == ("1", "30.0", "")
    often = reader.get("/v1/performance", params={**asked, "format": "csv", "part": "frequent"})
    [row] = csv.DictReader(io.StringIO(often.text))
    assert (row["subject"], row["name"]) == ("m-1", "'=HYPERLINK(1)")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "end"),
        ({"start": "1990-01-02T00:00:00Z"}, "start"),
        ({"time_zone": "Mars/North"}, "time_zone"),
        ({"operators": "0"}, "operators"),
        ({"format": "xls"}, "format"),
    ],
)
def test_a_wrong_parameter_is_named(
    shared_reader: httpx.Client, params: dict[str, str], field: str
) -> None:
    answer = shared_reader.get("/v1/performance", params=params)
    assert answer.status_code == 422
    assert answer.json()["field"] == field

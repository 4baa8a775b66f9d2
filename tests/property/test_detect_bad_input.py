"""Bad input at every kind of sensor that detectors watch, at once: no exception, no alarm, nobody else touched.

Each fault has a zone (inlet, outlet, tank, logger, a meter with a register and one that reports its uses) and a road
(station, lane) of its own; beside them are sound ones, which say what they say without them, and end in the same state,
byte by byte, whatever is known of the times of receipt.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.table import Array
from services.domain.batch import ReadingBatch, concatenate
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Condition, Rule
from services.domain.instant import DAY_US, HOUR_US, SECOND_US
from services.domain.sensor import Sensor
from tests.oracles.feeds import START_US, batch, home, pieces

HOURS = 24 * 5
YEARS10 = 3652 * DAY_US
KINDS = {
    SensorKind.WATER_METER: "register_litres",
    SensorKind.DMA_INLET: "flow_litres_per_h",
    SensorKind.DMA_OUTLET: "flow_litres_per_h",
    SensorKind.TANK_LEVEL: "level_m",
    SensorKind.PRESSURE: "pressure_kpa",
    SensorKind.TRAFFIC_STATION: "speed_km_per_h",
    SensorKind.TRAFFIC_LANE: "speed_km_per_h",
}
WATER = [
    kind for kind in KINDS if kind not in (SensorKind.TRAFFIC_STATION, SensorKind.TRAFFIC_LANE)
]
ROAD = [SensorKind.TRAFFIC_STATION, SensorKind.TRAFFIC_LANE]
ALLOWED = {Rule.SILENT, Rule.FEED_SILENT, Rule.STUCK, Rule.SENSOR_FAULT, Rule.REGISTER}
"""A sensor that repeats itself or contradicts itself is said to; water and traffic are not."""
Column = list[tuple[int, float]]
"""(time, value) in the order of arrival; one for each hour of the feed."""


def usual(kind: SensorKind, seed: int) -> Array:
    """One value an hour of a sensor in peace."""
    random = np.random.default_rng(seed)
    of_day = 1.0 - 0.5 * np.cos((np.arange(HOURS) % 24 - 4) / 24 * 2 * np.pi)
    match kind:
        case SensorKind.WATER_METER:
            return np.asarray(40_000 + np.cumsum(home(HOURS, seed)))
        case SensorKind.DMA_INLET:
            return np.asarray(9_000 * of_day * random.normal(1, 0.02, HOURS))
        case SensorKind.DMA_OUTLET:
            return np.asarray(1_000 * of_day * random.normal(1, 0.02, HOURS))
        case SensorKind.TANK_LEVEL:
            return np.asarray(3 + 0.2 * of_day)
        case SensorKind.PRESSURE:
            return np.asarray(400 - 10 * of_day + random.normal(0, 0.3, HOURS))
        case _:
            return np.asarray(100 + random.normal(0, 3, HOURS))


def at(hour: int) -> int:
    return START_US + hour * HOUR_US


FAULTS: dict[str, Callable[[Array], Column]] = {
    "not-a-number": lambda v: [(at(h), math.nan) for h in range(HOURS)],
    "infinite": lambda v: [(at(h), math.inf if h % 2 else -math.inf) for h in range(HOURS)],
    "constant": lambda v: [(at(h), float(v[0])) for h in range(HOURS)],
    "a-single-reading": lambda v: [(at(0), float(v[0]))],
    "ten-years-without": lambda v: [(at(h) + (h > 50) * YEARS10, float(v[h])) for h in range(HOURS)],
    "backwards": lambda v: [(at(HOURS - h), float(v[h])) for h in range(HOURS)],
    "to-and-fro": lambda v: [(at(h) + (h % 3 - 1) * 400 * DAY_US, float(v[h])) for h in range(HOURS)],
    "fifty-minutes-ahead": lambda v: [(at(h) + 3000 * SECOND_US, float(v[h])) for h in range(HOURS)],
    "a-million-million": lambda v: [(at(h), 1e12 if h == 60 else float(v[h])) for h in range(HOURS)],
    "minus-a-million-million": lambda v: [(at(h), -1e12 if h == 60 else float(v[h])) for h in range(HOURS)],
    "out-of-this-world": lambda v: [(at(h), 1e300 if h % 9 == 8 else float(v[h])) for h in range(HOURS)],
    "repeated": lambda v: [(at(h - h % 4), float(v[h - h % 4])) for h in range(HOURS)],
}  # fmt: skip


UNITS = {"a-hundred-times": 100.0, "a-thousand-times": 1000.0, "a-thousandth": 0.001}
"""By how much the meters of a zone are wrong from one day on; its other sensors are sound."""
UNIT_FROM = 60
USES = "uses"
"""A meter that reports what was used since its last reading."""
RECEIPTS = ("not-known", "live", "replayed")
"""What is known of when readings were received; live ones that are more than an hour ahead are rejected by ingest."""


ONLY_LIVE = "fifty-minutes-ahead"
"""Without receipts a sensor that is ahead by less than an hour moves the clock of its feed."""


def sensors(domain: Domain) -> list[tuple[int, Sensor]]:
    """Sound ones first, then those of each fault; no fault shares zone or road with another."""
    parts: dict[str, SensorKind] = {kind.value: kind for kind in ROAD}
    if domain is Domain.WATER:
        parts = {kind.value: kind for kind in WATER} | {USES: SensorKind.WATER_METER}
    out = []
    for place in ("sound", "sound-too", *FAULTS, *(UNITS if domain is Domain.WATER else ())):
        for part, kind in parts.items():
            where = (
                {"zone": place} if domain is Domain.WATER else {"road": place, "position_m": 500.0}
            )
            area = 40.0 if kind is SensorKind.TANK_LEVEL else None
            sensor = Sensor(f"{place}:{part}", kind, area_m2=area, cadence_s=3600, **where)  # type: ignore[arg-type]
            out.append((len(out), sensor))
    return out


def metric(sensor: Sensor) -> str:
    return "consumption_litres" if sensor.id.endswith(f":{USES}") else KINDS[sensor.kind]


def column(sensor: Sensor, number: int) -> Column:
    place, part = sensor.id.split(":")
    seed = 3 + number % 50
    values = home(HOURS, seed) if part == USES else usual(sensor.kind, seed)
    if place in UNITS and sensor.kind is SensorKind.WATER_METER:
        values[UNIT_FROM:] *= UNITS[place]
    fault = FAULTS.get(place)
    return fault(values) if fault else [(at(h), float(values[h])) for h in range(HOURS)]


def feed(domain: Domain, faulty: bool = True, receipt: str = "not-known") -> list[ReadingBatch]:
    """Hour by hour, faulty before and after the sound ones."""
    known = sensors(domain)
    columns = [
        (n, s, column(s, n))
        for n, s in known
        if s.id.startswith("sound")
        or (faulty and (receipt == "live" or not s.id.startswith(ONLY_LIVE)))
    ]
    out = []
    for hour in range(HOURS):
        rows = [(n, s, c[hour]) for n, s, c in columns if hour < len(c)]
        if receipt == "live":
            rows = [row for row in rows if row[2][0] <= at(hour + 1)]
        rows.sort(key=lambda row: (row[0] * 7 + hour) % 11)
        values = {
            name: [row[2][1] if metric(row[1]) == name else math.nan for row in rows]
            for name in {metric(row[1]) for row in rows}
        }
        one = batch(domain, [r[0] for r in rows], [r[2][0] for r in rows], **values)
        received = {"live": at(hour) + SECOND_US, "replayed": START_US + 2 * YEARS10}.get(receipt)
        if received is not None:
            one = replace(one, received_us=np.full(len(one), received))
        out.append(one)
    return out


def run(domain: Domain, parts: list[ReadingBatch]) -> tuple[Core, list[Condition]]:
    """All sensors are registered, whoever speaks."""
    core = Core(DetectorSettings(), sensors(domain))
    return core, [said for part in parts for said in core.step(part, 0)]


@lru_cache(maxsize=2)
def alone(domain: Domain) -> tuple[Core, list[Condition]]:
    return run(domain, feed(domain, faulty=False))


def states(core: Core, domain: Domain) -> dict[str, bytes]:
    """The state of each sound sensor, field by field."""
    out = {}
    for number, sensor in sensors(domain):
        if not sensor.id.startswith("sound"):
            continue
        row = int(core._row_of[number])
        kind = core._kind[row]
        for name, k, table in core._tables():
            if k is None or k == kind:
                mine = np.array([row if k is None else core._watch_row[row]])
                for field, array in table.take(mine).items():
                    if (name, field) == ("said", "heard"):
                        continue  # where the feed was, and no state of the sensor
                    out[f"{sensor.id} {name}.{field}"] = array.tobytes()
    return out


@pytest.mark.parametrize("receipt", RECEIPTS)
@pytest.mark.parametrize("domain", list(Domain))
def test_no_fault_raises_an_alarm_or_touches_a_sound_sensor(domain: Domain, receipt: str) -> None:
    core, said = run(domain, feed(domain, receipt=receipt))
    false = {
        (c.subject, c.rule)
        for c in said
        if c.rule not in ALLOWED and not c.subject.startswith("sound")
    }
    assert false == set()
    quiet, by_itself = alone(domain)
    mine = [c for c in said if c.subject.startswith("sound")]
    assert mine == [c for c in by_itself if c.subject.startswith("sound")]
    want, got = states(quiet, domain), states(core, domain)
    assert {name for name in want if want[name] != got[name]} == set()
    for place in UNITS if domain is Domain.WATER else ():
        told = [c for c in said if c.subject == f"{place}:{SensorKind.WATER_METER.value}"]
        assert [(c.rule, c.at_us) for c in told] == [(Rule.SENSOR_FAULT, at(UNIT_FROM))]
        assert told[0].evidence.numbers["unit_factor_1"] == pytest.approx(1 / UNITS[place])


@pytest.mark.parametrize("domain", list(Domain))
def test_among_wrong_clocks_too_no_cut_of_the_feed_matters(domain: Domain) -> None:
    whole = concatenate(feed(domain, receipt="replayed")[: HOURS // 2])
    random = np.random.default_rng(8)
    core, said = run(domain, [whole])
    other, again = run(domain, pieces(whole, random.integers(1, len(whole), 12).tolist()))

    def in_order(conditions: list[Condition]) -> list[Condition]:
        return sorted(conditions, key=lambda c: (c.subject, c.at_us, c.rule, c.change))

    assert in_order(said) == in_order(again)
    used = {sensor.shard for _, sensor in sensors(domain)}
    assert [s for s in used if core.dumps(s) != other.dumps(s)] == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_million_repeats_cost_little_and_mean_nothing(kind: SensorKind) -> None:
    domain = Domain.WATER if kind in WATER else Domain.TRAFFIC
    core = Core(DetectorSettings(), [(0, Sensor("one", kind)), (1, Sensor("two", kind))])
    million = 1_000_000 if kind is SensorKind.WATER_METER else 50_000
    again = batch(domain, np.arange(million) % 2, np.full(million, START_US), **{KINDS[kind]: np.full(million, 50.0)})  # type: ignore[arg-type]  # fmt: skip
    began = time.process_time()
    assert core.step(again, 0) == []
    assert core.step(again, 0) == []
    assert time.process_time() - began < 20, "one round for each would take an hour"
    assert core.newest_us(np.array([0, 1])).tolist() == [START_US, START_US]

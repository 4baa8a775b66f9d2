"""A small detector of the tests and the ways to feed it: enough of a core to see what the runner does around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from services.detect.settings import Clock, DetectSettings
from services.domain.batch import ReadingBatch
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Evidence, Rule, Severity
from services.domain.errors import CitygaugeError
from services.domain.instant import SECOND_US, to_us
from services.domain.sensor import Sensor
from services.store.connection import connect, transaction
from services.store.feed import append
from services.store.sensors import SensorRepository
from services.store.writing.readings import ReadingWriter

START_US = to_us(datetime(2026, 3, 1, tzinfo=UTC))
MINUTE_US = 60 * SECOND_US
POISON = 666.0
SILENT_US = 600 * SECOND_US
SETTINGS = DetectSettings(
    clock=Clock.STREAM,
    poll_s=0.05,
    checkpoint_s=3600,
    settle_s=0,
    tick_s=0.05,
    late_s=0,
    late_slice_ms=10_000,  # at one go, so that it is known what the feed brings behind it
)


@dataclass
class Memory:
    """What the small core knows of one sensor."""

    last: int = 0
    burst: int | None = None
    severity: str = "warning"
    silent: int | None = None


@dataclass
class SmallCore:
    """Burst from 100 L/h (critical from 1000), over below 50; silent after ten minutes; fails on POISON."""

    sensors: dict[int, Sensor] = field(default_factory=dict)
    state: dict[int, Memory] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    poison: float = POISON

    def add_sensors(self, sensors: Sequence[tuple[int, Sensor]]) -> None:
        self.sensors |= dict(sensors)

    def step(self, batch: ReadingBatch, now_us: int) -> list[Condition]:
        said = []
        flows = batch.metrics["flow_litres_per_h"]
        for number, at, flow in zip(
            batch.sensor.tolist(), batch.observed_us.tolist(), flows.tolist(), strict=True
        ):
            sensor = self.sensors[number]
            memory = self.state.setdefault(number, Memory())
            if at <= memory.last:
                continue
            self.changed.add(sensor.shard)
            memory.last = at
            if flow == self.poison:
                raise ArithmeticError("this reading is poison")
            if memory.silent is not None:
                said.append(say(Rule.SILENT, sensor, Change.CLEAR, memory.silent, at, flow))
                memory.silent = None
            if memory.burst is None and flow >= 100:
                memory.burst, memory.severity = at, "warning"
                said.append(say(Rule.BURST, sensor, Change.RAISE, at, at, flow))
            elif memory.burst is not None and flow >= 1000 and memory.severity == "warning":
                memory.severity = "critical"
                update = (Change.UPDATE, memory.burst, at, flow, Severity.CRITICAL)
                said.append(say(Rule.BURST, sensor, *update))
            elif memory.burst is not None and flow < 50:
                said.append(say(Rule.BURST, sensor, Change.CLEAR, memory.burst, at, flow))
                memory.burst = None
        return said

    def tick(self, now_us: int) -> list[Condition]:
        said = []
        for number, memory in self.state.items():
            if memory.silent is None and memory.last and now_us - memory.last > SILENT_US:
                memory.silent = memory.last
                self.changed.add(self.sensors[number].shard)
                sensor = self.sensors[number]
                said.append(say(Rule.SILENT, sensor, Change.RAISE, memory.last, now_us, 0.0))
        return said

    def newest_us(self, numbers: Any) -> Any:
        return np.array([self.state.get(n, Memory()).last for n in numbers.tolist()], np.int64)

    def clock_us(self, domain: Domain) -> int:
        own = [m.last for n, m in self.state.items() if self.sensors[n].domain is domain]
        return max(own, default=0)

    def adopt(self, other: Any, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.changed.add(self.sensors[number].shard)
            silent = self.state[number].silent
            self.state[number] = replace(other.state.get(number, Memory()), silent=silent)

    def changed_shards(self) -> list[int]:
        return sorted(self.changed)

    def dumps(self, shard: int) -> bytes:
        self.changed.discard(shard)
        mine = {
            number: vars(memory)
            for number, memory in self.state.items()
            if self.sensors[number].shard == shard
        }
        return b"small1" + json.dumps(mine).encode()

    def loads(self, shard: int, data: bytes) -> None:
        if data[:6] != b"small1":
            raise CitygaugeError("no state of a small core")
        for number, memory in json.loads(data[6:]).items():
            self.state[int(number)] = Memory(**memory)


def small_core(sensors: Sequence[tuple[int, Sensor]]) -> SmallCore:
    core = SmallCore()
    core.add_sensors(sensors)
    return core


def say(
    rule: Rule,
    sensor: Sensor,
    change: Change,
    onset: int,
    at: int,
    flow: float,
    severity: Severity = Severity.WARNING,
) -> Condition:
    evidence = Evidence("flow_litres_per_h", "L/h", flow, 100.0, None, 60.0, 1, 0.0)
    return Condition(rule, sensor.id, change, onset, at, severity, 0.9, evidence)


def words(condition: Condition, sensor: Sensor) -> str:
    return f"{condition.rule} at {sensor.id} {condition.change} {condition.evidence.value}"


def meters(url: str, *names: str) -> dict[str, int]:
    """Register water meters; their numbers by id."""
    with connect(url, "test", autocommit=True) as conn:
        repository = SensorRepository(conn)
        repository.upsert([Sensor(name, SensorKind.WATER_METER) for name in names])
        return {name: repository.registered(name).number for name in names}


def batch_of(rows: Sequence[tuple[int, float, float]]) -> ReadingBatch:
    """Readings (sensor number, minutes after the start, litres an hour), received when observed."""
    at = np.array([START_US + round(minutes * MINUTE_US) for _, minutes, _ in rows], np.int64)
    return ReadingBatch(
        Domain.WATER,
        np.array([number for number, _, _ in rows], np.int32),
        at,
        at.copy(),
        np.zeros(len(rows), np.int16),
        {"flow_litres_per_h": np.array([flow for _, _, flow in rows], np.float64)},
    )


def feed(url: str, *batches: Sequence[tuple[int, float, float]]) -> None:
    """Store and feed batches as ingest does, one transaction each."""
    with connect(url, "test", autocommit=True) as conn:
        for rows in batches:
            with transaction(conn):
                append(conn, ReadingWriter(conn).write(batch_of(rows)).accepted)

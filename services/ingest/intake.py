"""From messages to what is written, with the two questions to the database in between: who are they, how new.

It refuses to write readings; it registers sensors where the setting says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from services.domain.catalogue import Domain, SensorKind
from services.domain.rejection import RejectReason
from services.domain.sensor import Sensor
from services.ingest.assemble import Assembler
from services.ingest.blocks import Block
from services.ingest.messages import Messages
from services.ingest.prepared import Prepared
from services.ingest.sensor_table import UNKNOWN, SensorTable
from services.store.connection import Connection
from services.store.sensors import SensorRepository
from services.store.writing.seen import newest_times

_BY_METRIC: Final[dict[Domain, tuple[tuple[str, SensorKind], ...]]] = {
    Domain.WATER: (
        ("register_litres", SensorKind.WATER_METER),
        ("consumption_litres", SensorKind.WATER_METER),
        ("level_m", SensorKind.TANK_LEVEL),
        ("flow_litres_per_h", SensorKind.DMA_INLET),
        ("pressure_kpa", SensorKind.PRESSURE),
    ),
    Domain.TRAFFIC: (),
}
_OTHERWISE: Final[dict[Domain, SensorKind]] = {
    Domain.WATER: SensorKind.WATER_METER,
    Domain.TRAFFIC: SensorKind.TRAFFIC_STATION,
}


def kind_for(domain: Domain, columns: Sequence[str]) -> SensorKind:
    """The kind under which a sensor that nobody registered is registered: by what it measures."""
    for column, kind in _BY_METRIC[domain]:
        if column in columns:
            return kind
    return _OTHERWISE[domain]


class Intake:
    """Prepares runs of messages; remembers sensors and their newest times between them."""

    def __init__(self, assembler: Assembler, unknown: Literal["quarantine", "register"]) -> None:
        self.assembler = assembler
        self.sensors = SensorTable()
        self._register = unknown == "register"

    def refresh(self, conn: Connection) -> bool:
        """Takes over what changed in the registry; whether anything did."""
        changed, marker = SensorRepository(conn).changed_since(self.sensors.marker)
        if not changed:
            return False
        self.sensors.update(((each.number, each.sensor) for each in changed), marker)
        return True

    def prepare(self, conn: Connection, messages: Messages) -> Prepared:
        """Decodes and judges; each reading is in the result's rows or rejections. Raises DatabaseUnavailable."""
        prepared = Prepared(messages)
        blocks = self.assembler.decode(messages, self.sensors, prepared)
        if self._may_be_outdated(blocks, prepared) and self.refresh(conn):
            prepared = Prepared(messages)
            blocks = self.assembler.decode(messages, self.sensors, prepared)
        if self._register:
            self._register_unknown(conn, blocks)
        for block in blocks:
            numbers = self.sensors.numbers(block.sensor_id)
            fresh = self.sensors.unprimed(numbers[numbers != UNKNOWN])
            if len(fresh):
                newest = newest_times(conn, block.domain, fresh.tolist())
                self.sensors.prime(fresh, newest)
        self.assembler.judge(blocks, self.sensors, prepared)
        return prepared

    def _may_be_outdated(self, blocks: list[Block], prepared: Prepared) -> bool:
        """Whether a newer registry could change the result: somebody unknown, elsewhere, or without units."""
        if any(kept.rejection.reason is RejectReason.MISSING_FIELD for kept in prepared.kept):
            return True
        for block in blocks:
            numbers = self.sensors.numbers(block.sensor_id)
            if (numbers == UNKNOWN).any():
                return True
            if not self.sensors.in_domain(numbers, block.domain).all():
                return True
        return False

    def _register_unknown(self, conn: Connection, blocks: list[Block]) -> None:
        found: dict[str, Sensor] = {}
        for block in blocks:
            numbers = self.sensors.numbers(block.sensor_id)
            rows: dict[str, list[int]] = {}
            for row in np.flatnonzero(numbers == UNKNOWN).tolist():
                rows.setdefault(block.sensor_id[row], []).append(row)
            for sensor_id, own in rows.items():
                if sensor_id in found:
                    continue
                columns = [
                    name
                    for name, values in block.metrics.items()
                    if not np.isnan(values[own]).all()
                ]
                found[sensor_id] = Sensor(sensor_id, kind_for(block.domain, columns))
        if found:
            SensorRepository(conn).upsert([found[each] for each in sorted(found)])
            self.refresh(conn)

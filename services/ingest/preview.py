"""What ingest would do with a message, for people: without broker, without database, nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from services.domain.catalogue import CATALOGUE
from services.domain.instant import isoformat, to_us
from services.domain.quality import Quality
from services.domain.rejection import WHAT_TO_DO
from services.domain.sensor import Sensor
from services.ingest.assemble import Assembler
from services.ingest.intake import kind_for
from services.ingest.messages import Messages
from services.ingest.parts import assembler_of
from services.ingest.prepared import Prepared
from services.ingest.sensor_table import SensorTable
from services.ingest.settings import IngestSettings


def decode_preview(
    topic: str,
    payload: bytes,
    registry: Iterable[Sensor] | None,
    now: datetime,
    settings: IngestSettings | None = None,
) -> list[dict[str, object]]:
    """What would be stored, and what would be rejected and why, as plain data.

    Args:
        topic: the MQTT topic.
        payload: the message's bytes.
        registry: the registered sensors; None: whoever speaks is taken for registered.
        now: the time of receipt, aware.
        settings: limits and topics; the defaults without.

    Returns:
        For each reading in the order of the message {"stored": True, "domain", "sensor_id", "time", "values":
        {column: value}, "units": {column: UCUM code}, "quality": [words]}; then for each rejection {"stored": False,
        "reason", "detail", "what_to_do", "sensor_id", "readings"}.
    """
    settings = settings or IngestSettings()
    assembler = assembler_of(settings)
    received_us = to_us(now)
    cut = {}
    if len(payload) > settings.max_payload_bytes:
        cut[0] = len(payload)
    messages = Messages([topic.encode()], [payload], [received_us], set(), cut)
    sensors = SensorTable()
    if registry is None:
        sensors.update(_everybody(assembler, messages), 0)
    else:
        sensors.update(enumerate(registry), 0)
    prepared = Prepared(messages)
    blocks = assembler.decode(messages, sensors, prepared)
    names: dict[int, str] = {}
    for block in blocks:
        numbers = sensors.numbers(block.sensor_id).tolist()
        names.update(zip(numbers, block.sensor_id, strict=True))
    assembler.judge(blocks, sensors, prepared)
    return [*_stored(prepared, names), *_rejected(prepared)]


def _everybody(assembler: Assembler, messages: Messages) -> list[tuple[int, Sensor]]:
    """The sensors of the message, as if they were registered by what they measure."""
    found: dict[str, Sensor] = {}
    for block in assembler.decode(messages, SensorTable(), Prepared(messages)):
        for sensor_id in block.sensor_id:
            kind = kind_for(block.domain, list(block.metrics))
            found.setdefault(sensor_id, Sensor(sensor_id, kind))
    return list(enumerate(found.values()))


def _stored(prepared: Prepared, names: dict[int, str]) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    for rows in prepared.rows:
        batch, known = rows.batch, CATALOGUE[rows.batch.domain].by_column
        for row in range(len(batch)):
            values = {
                name: float(column[row])
                for name, column in batch.metrics.items()
                if not np.isnan(column[row])
            }
            out.append(
                {
                    "stored": True,
                    "domain": batch.domain.value,
                    "sensor_id": names[int(batch.sensor[row])],
                    "time": isoformat(int(batch.observed_us[row])),
                    "values": values,
                    "units": {name: known[name].unit for name in values},
                    "quality": list(Quality(int(batch.quality[row])).words),
                }
            )
    return out


def _rejected(prepared: Prepared) -> list[dict[str, object]]:
    return [
        {
            "stored": False,
            "reason": kept.rejection.reason.value,
            "detail": kept.rejection.detail,
            "what_to_do": WHAT_TO_DO[kept.rejection.reason],
            "sensor_id": kept.rejection.sensor_id,
            "readings": kept.rejection.readings,
        }
        for kept in prepared.kept
    ]

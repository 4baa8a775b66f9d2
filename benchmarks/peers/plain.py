"""What a careful programmer writes: paho with manual acknowledgement, pydantic, batches, COPY, and then the PUBACKs.

A batch is closed by 10,000 messages or 20 ms, whichever is first; a batch with duplicates goes in by ON CONFLICT.
"""

from __future__ import annotations

import os
import queue
import time
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel

from benchmarks.payloads import TOPICS

_MOST, _LONGEST_S = 10_000, 0.02
_COPY = "COPY reading (time, sensor, value) FROM STDIN (FORMAT binary)"
_INSERT = "INSERT INTO reading (time, sensor, value) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


class _Reading(BaseModel):
    sensor: str
    time: datetime
    value: float


def _batch(waiting: queue.SimpleQueue[mqtt.MQTTMessage]) -> list[mqtt.MQTTMessage]:
    batch = [waiting.get()]
    deadline = time.monotonic() + _LONGEST_S
    while len(batch) < _MOST and (left := deadline - time.monotonic()) > 0:
        try:
            batch.append(waiting.get(timeout=left))
        except queue.Empty:
            break
    return batch


def _write(database: psycopg.Connection, readings: list[_Reading]) -> None:
    try:
        with database.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(["timestamptz", "text", "float8"])
            for reading in readings:
                copy.write_row((reading.time, reading.sensor, reading.value))
        database.commit()
    except psycopg.errors.UniqueViolation:
        database.rollback()
        with database.cursor() as cursor:
            cursor.executemany(_INSERT, [(each.time, each.sensor, each.value) for each in readings])
        database.commit()


def main() -> None:
    """Run until killed."""
    parts = urlsplit(os.environ["MQTT_URL"])
    database = psycopg.connect(os.environ["DATABASE_URL"])
    waiting: queue.SimpleQueue[mqtt.MQTTMessage] = queue.SimpleQueue()

    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe(TOPICS, qos=1)

    def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        waiting.put(message)

    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id="plain",
        clean_session=False,
        manual_ack=True,
    )
    client.username_pw_set(unquote(parts.username or ""), unquote(parts.password or ""))
    client.on_connect = on_connect
    client.on_message = on_message
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_start()
    while True:
        batch = _batch(waiting)
        _write(database, [_Reading.model_validate_json(message.payload) for message in batch])
        for message in batch:
            client.ack(message.mid, message.qos)


if __name__ == "__main__":
    main()

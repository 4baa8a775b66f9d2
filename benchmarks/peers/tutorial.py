"""The pipeline of the tutorials: paho's callback, json.loads, one INSERT and one commit for each message."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.payloads import TOPICS

_INSERT = "INSERT INTO reading (time, sensor, value) VALUES (%s, %s, %s)"


def main() -> None:
    """Run until killed."""
    parts = urlsplit(os.environ["MQTT_URL"])
    database = psycopg.connect(os.environ["DATABASE_URL"])

    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe(TOPICS, qos=1)

    def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        reading = json.loads(message.payload)
        with database.cursor() as cursor:
            cursor.execute(_INSERT, (reading["time"], reading["sensor"], reading["value"]))
        database.commit()

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(unquote(parts.username or ""), unquote(parts.password or ""))
    client.on_connect = on_connect
    client.on_message = on_message
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_forever()


if __name__ == "__main__":
    main()

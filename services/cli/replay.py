"""The command that replays a recording over MQTT."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from services.cli.output import write_sensors
from services.cli.process import database_url, mqtt_url, start_log, stop_on_signals
from services.cli.simulate import last_s, speed_of


def replay(
    file: Path = typer.Argument(
        help="A recording: CSV (or .csv.gz) with time, sensor_id, kind, metric, value, sorted by time."
    ),
    speed: str = typer.Option("max", help="Recorded seconds in a real second, or max."),
    split_metrics: bool = typer.Option(
        False, "--split-metrics", help="Send each row as a message of its own."
    ),
    register: bool = typer.Option(
        False, "--register", help="Register the recording's sensors first; needs DATABASE_URL."
    ),
    sensors_out: Path | None = typer.Option(
        None, help="Write the recording's sensors to this CSV or GeoJSON file first."
    ),
    time_zone: str = typer.Option("UTC", help="IANA zone of the recording's sensors."),
    skip_bad: bool = typer.Option(
        False, "--skip-bad", help="Replay the good rows although others are bad."
    ),
    for_: float | None = typer.Option(
        None, "--for", min=0, help="Stop after so many real seconds.", metavar="SECONDS"
    ),
    mqtt: str | None = typer.Option(
        None, "--mqtt-url", help="The broker; MQTT_URL when not given.", metavar="URL"
    ),
) -> None:
    """Publish recorded readings as their sensors would, at QoS 1.

    Kinds are those of `sensors import`. Metrics say their unit: register_l, register_m3, consumption_l, volume_l,
    flow_m3h, flow_lps, pressure_m, pressure_bar, level_m; volume_veh, speed_kmh, speed_mph, occupancy_pct; or a column
    of an export (flow_litres_per_h).

    Rows of one sensor and time become one message. Every bad row is named with its line; unless --skip-bad is
    given, nothing is sent then. Where nobody has subscribed yet, it waits for ingest: what it says it has published,
    somebody has heard. Ends with one JSON object: what the broker acknowledged.
    """
    from simulators.pace import Pace
    from simulators.publish import Publisher
    from simulators.pump import pump
    from simulators.replay import messages, read_recording, sensors_of

    pace_speed = speed_of(speed)
    recording = read_recording(file)
    for row in recording.bad:
        typer.echo(f"{file}:{row.line}: {row.reason}", err=True)
    if recording.bad and not skip_bad:
        count = len(recording.bad)
        typer.echo(
            f"citygauge: {count} bad rows, nothing sent; --skip-bad sends the rest", err=True
        )
        raise typer.Exit(1)
    sensors = sensors_of(recording, time_zone)
    if sensors_out is not None:
        write_sensors("--sensors-out", sensors_out, sensors)
    if register:
        from services.store.connection import connect
        from services.store.sensors import SensorRepository

        with connect(database_url(), "citygauge-replay") as conn:
            SensorRepository(conn).upsert(sensors)
    start_log()
    stop = stop_on_signals()
    first_us = recording.readings[0].observed_us if recording.readings else 0
    with Publisher(mqtt_url(mqtt), f"citygauge-replay-{file.name}", insists=True) as publisher:
        stream = messages(recording, split_metrics=split_metrics)
        pump(stream, publisher, Pace(pace_speed, first_us), stop=stop, seconds=for_)
        done = publisher.flush(last_s(stop, for_))
    result = {
        "readings": done.readings,
        "messages": done.messages,
        "unheard": done.unheard,
        "rows": recording.rows,
        "bad_rows": len(recording.bad),
        "sensors": len(sensors),
    }
    typer.echo(json.dumps(result))

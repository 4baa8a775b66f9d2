"""The command that simulates field hardware over MQTT."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from services.cli.output import make_room, write_file, write_sensors
from services.cli.process import mqtt_url, start_log, stop_on_signals
from services.cli.times import time_of
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from threading import Event

    from simulators.scenario import Scenario


_LOOK_S: Final = 0.02
LAST_S: Final = 10.0
"""How long a publisher that was told to stop waits for the last acknowledgements."""


class Field(StrEnum):
    """What is simulated."""

    WATER = "water"
    TRAFFIC = "traffic"
    CITY = "city"


class Part(StrEnum):
    """Which part of a scenario is published."""

    ALL = "all"
    HISTORY = "history"
    LIVE = "live"


def speed_of(text: str) -> float | None:
    """Virtual seconds in a real one; None for "max"."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise InvalidInput("--speed", text, "a number above 0, or max")
    return speed


def simulate(
    what: Field = typer.Argument(help="Water meters, traffic stations, or both."),
    sensors: int | None = typer.Option(
        None, min=1, help="So many meters and stations, instead of the scenario's."
    ),
    seed: int | None = typer.Option(None, help="Another seed is another city."),
    scenario: str | None = typer.Option(
        None, help="A TOML file, or a shipped scenario: city, water, leak, traffic."
    ),
    speed: str = typer.Option("1", help="Simulated seconds in a real second, or max."),
    for_: float | None = typer.Option(
        None, "--for", min=0, help="Stop after so many real seconds.", metavar="SECONDS"
    ),
    start: str | None = typer.Option(
        None, help="When the live part begins (2026-03-02T00:00:00Z); now when not given."
    ),
    part: Part = typer.Option(
        Part.ALL, help="Publish only the scenario's history, or only its live part."
    ),
    truth: Path | None = typer.Option(None, help="Write what really happened to this JSON file."),
    sensors_out: Path | None = typer.Option(
        None, help="Write the sensors to this CSV or GeoJSON file, for `citygauge sensors import`."
    ),
    progress: Path | None = typer.Option(
        None, help="Append a JSON line to this file twice a second.", hidden=True
    ),
    wait_for: Path | None = typer.Option(
        None, help="Begin the live part when this file is there.", hidden=True
    ),
    resume: str | None = typer.Option(
        None, help="Leave out the live part before this time.", hidden=True
    ),
    mqtt: str | None = typer.Option(
        None, "--mqtt-url", help="The broker; MQTT_URL when not given.", metavar="URL"
    ),
    publish: bool = typer.Option(
        True,
        help="--no-publish only writes --sensors-out, and --truth with an end in the scenario.",
    ),
) -> None:
    """Simulate water meters and traffic stations that publish like field hardware, with their faults.

    The same seed and scenario give the same readings at any speed. Virtual time never runs ahead of the clock on
    the wall. What is published while nobody has subscribed is sent again until ingest hears it. Ends with one JSON
    object: what the broker acknowledged.
    """
    from services.domain.instant import parse_time
    from simulators.city.models import City
    from simulators.publish import Publisher

    chosen = scenario_of(what, scenario, sensors, seed)
    pace_speed, live_us = speed_of(speed), _live_us(chosen, start, speed)
    city = City(chosen, live_us)
    if sensors_out is not None:
        write_sensors("--sensors-out", sensors_out, city.sensors)
    if truth is not None:
        make_room("--truth", truth)
    if publish:
        start_log()
        stop = stop_on_signals()
        with Publisher(
            mqtt_url(mqtt), f"citygauge-simulate-{what}-{part}", insists=True
        ) as publisher:
            from simulators import stream
            from simulators.pace import Pace
            from simulators.pump import Progress, pump

            report, begin_us = Progress(progress), live_us
            if part is not Part.LIVE:
                pump(stream.history(city), publisher, Pace(None, live_us), stop=stop)
                publisher.flush(LAST_S if stop.is_set() else 60.0)
            else:
                begin_us = live_us if resume is None else max(live_us, parse_time(resume))
                for _ in city.readings(begin_us):
                    pass
            report.begin_live(publisher, begin_us)
            while wait_for is not None and not wait_for.exists() and not stop.wait(_LOOK_S):
                pass
            if part is not Part.HISTORY:
                messages = stream.live(city, chosen)
                pace = Pace(pace_speed, begin_us)
                pump(messages, publisher, pace, stop=stop, seconds=for_, progress=report)
            done = publisher.flush(last_s(stop, for_))
            report.close(publisher)
        result = {"readings": done.readings, "messages": done.messages, "unheard": done.unheard}
        typer.echo(json.dumps(result))
    elif chosen.duration_h:
        for _ in city.readings(live_us + round(chosen.duration_h * 3_600_000_000)):
            pass
    if truth is not None:
        write_file("--truth", truth, json.dumps(city.truth(), indent=1) + "\n")


def last_s(stop: Event, seconds: float | None) -> float:
    """How long what is on its way may take at the end: little where somebody or --for said to stop."""
    return 60.0 if seconds is None and not stop.is_set() else LAST_S


def scenario_of(what: Field, name: str | None, sensors: int | None, seed: int | None) -> Scenario:
    """The scenario that the options mean, reduced to the field that was asked for."""
    from simulators.scenario import load_scenario

    chosen = load_scenario(name or what)
    dropped = {Field.WATER: ["traffic"], Field.TRAFFIC: ["water"], Field.CITY: []}[what]
    chosen = chosen.model_copy(update=dict.fromkeys(dropped))
    if chosen.water is None and chosen.traffic is None:
        raise InvalidInput("--scenario", name, f"a scenario that has a [{what}] table")
    if sensors is not None:
        chosen = chosen.sized(sensors)
    return chosen if seed is None else chosen.model_copy(update={"seed": seed})


def _live_us(scenario: Scenario, start: str | None, speed: str) -> int:
    from services.domain.instant import to_us

    if start is not None:
        return time_of("--start", start)
    if scenario.start is not None:
        return to_us(scenario.start)
    # At another speed than that of the clock, the live part must lie in the past to have room.
    back = timedelta(0) if speed == "1" else timedelta(hours=scenario.duration_h or 24 * 60)
    return to_us((datetime.now(UTC) - back).replace(microsecond=0))

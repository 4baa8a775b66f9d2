"""What the service tells of readings that come over the broker is what a backtest tells of the same recording.

Meters, a zone with its meters, and a road: broker, ingest, feed and detector on one side, the recording's file on the
other. Subject, moments, severity, numbers and sentence of every telling are compared.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli.commands import application
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.recorded.backtest import in_order, run_case
from services.detect.recorded.recordings import read_recording
from services.detect.words.sentences import say
from services.domain.alert import EventKind
from services.domain.instant import HOUR_US, SECOND_US, isoformat, parse_time, to_us
from services.store.connection import connect
from services.store.sensors import SensorRepository
from tests.ingest_worker import committed, working
from tests.integration.runners import drain, log, runner
from tests.oracles.feeds import START_US, home
from tests.unit.test_detect_zones import WEEK_H, metered

Row = tuple[int, str, str, str, float]


def meters() -> Iterator[Row]:
    """A leak that grows, a burst, a fall of the register, a meter that falls silent."""
    leak, burst, fall, silent = (home(27 * 24, seed) for seed in range(1, 5))
    leak[22 * 24 : 23 * 24 + 12] += 5
    leak[23 * 24 + 12 : 25 * 24] += 300
    burst[23 * 24 : 23 * 24 + 9] += 900
    fall[24 * 24] = -60
    for name, use in (("leak", leak), ("burst", burst), ("fall", fall), ("silent", silent)):
        register = 10_000 + np.cumsum(use)
        for hour, litres in enumerate(register.tolist()):
            if not (name == "silent" and 23 * 24 <= hour < 26 * 24):
                yield START_US + hour * HOUR_US, name, "customer_meter", "register_l", round(litres)


def zone() -> Iterator[Row]:
    """A leak in the main of a metered zone, mended a week later."""
    sensors, columns = metered(5, 4)
    columns[0][3 * WEEK_H + 13 : 4 * WEEK_H] += 60.0
    for sensor, column in zip(sensors, columns, strict=True):
        for hour, litres in enumerate(column.tolist()):
            kind, metric = sensor.kind.value, "flow_litres_per_h"
            yield START_US + (hour + 1) * HOUR_US, sensor.id, kind, metric, round(litres, 1)


def road() -> Iterator[Row]:
    """A lane is blocked behind the third station, a queue grows, and the first station hangs."""
    random = np.random.default_rng(4)
    for i in range(8 * 60):
        for k in range(4):
            speed, count = 105 + random.normal(0, 4), float(random.poisson(12))
            if 240 <= i < 330 and k == 2:
                speed, count = 22 + random.normal(0, 3), 5.0
            elif 240 <= i < 330 and k == 3:
                count = 5.0
            elif 270 <= i < 340 and k == 1:
                speed = 30 + random.normal(0, 3)
            if 380 <= i < 440 and k == 0:
                speed = 88.0
            at, name = START_US + 8 * HOUR_US + i * 30 * SECOND_US, f"S{k}"
            yield at, name, "loop_detector", "speed_kmh", round(speed, 2)
            yield at, name, "loop_detector", "volume_veh", count


ZONES = {"sensors": [], "dma": {"Z": {"inlets": ["I"], "customers": "M*"}}}
ROAD = {"sensors": [{"sensor_id": f"S{k}", "order": k, "position_m": 800 * k} for k in range(4)]}
Recorded = tuple[Callable[[], Iterator[Row]], dict[str, Any], set[str]]
CASES: dict[str, Recorded] = {
    "meters": (meters, {}, {"continuous_flow", "burst", "backflow", "missing_data"}),
    "zone": (zone, ZONES, {"dma_leak"}),
    "road": (road, ROAD, {"congestion", "incident", "stuck_detector"}),
}


def write(folder: Path, rows: Iterator[Row], sensors: dict[str, Any]) -> int:
    """Write the case; how many readings (sensor, time) it has."""
    folder.mkdir()
    several = sorted(rows)
    with (folder / "readings.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("time", "sensor_id", "kind", "metric", "value"))
        writer.writerows((isoformat(at), *rest) for at, *rest in several)
    (folder / "sensors.json").write_text(json.dumps(sensors))
    return len({row[:2] for row in several})


def recorded(folder: Path) -> list[tuple[Any, ...]]:
    """(when, subject, rule, severity, evidence, sentence) of each telling of a backtest, and of each end."""
    found: set[tuple[Any, ...]] = set()
    for line in in_order(run_case(folder)):
        evidence = json.dumps(line["evidence"], sort_keys=True)
        about = (line["sensor_id"], line["rule"], line["started_at"])
        found.add((line["detected_at"], *about, line["severity"], evidence, line["sentence"]))
        if line["ended_at"]:
            found.add((line["ended_at"], *about, "over", "", line["ended_sentence"]))
    return sorted(found)


def live(url: str) -> list[tuple[Any, ...]]:
    """The same of the service's log."""
    found, about = set(), {}
    for entry in log(url):
        event, data = entry.event, entry.event.data
        if event.kind is EventKind.RAISED:
            if str(data["subject"]).startswith("feed/"):
                continue
            began = isoformat(parse_time(data["started_at"]))
            about[event.alert_id] = (data["subject"], data["rule"], began)
        at = isoformat(to_us(event.at))
        if event.alert_id not in about:
            continue
        evidence = json.dumps(data.get("evidence"), sort_keys=True)
        if event.kind in (EventKind.RAISED, EventKind.ESCALATED):
            said = (data["severity"], evidence, data["sentence"])
            found.add((at, *about[event.alert_id], *said))
        elif event.kind is EventKind.CLEARED:
            found.add((at, *about[event.alert_id], "over", "", data["sentence"]))
    return sorted(found)


@pytest.mark.parametrize("name", CASES)
def test_the_service_tells_what_the_backtest_tells(
    name: str, database_url: str, mqtt_url: str, device_mqtt_url: str, tmp_path: Path
) -> None:
    rows, sensors, kinds = CASES[name]
    readings = write(tmp_path / name, rows(), sensors)
    wanted = recorded(tmp_path / name)
    assert kinds <= {line["kind"] for line in run_case(tmp_path / name)}
    with connect(database_url, "test", autocommit=True) as conn:
        SensorRepository(conn).upsert(read_recording(tmp_path / name).sensors)
    with (
        working(database_url, mqtt_url, worker="live"),
        runner(
            database_url,
            make=lambda some: Core(DetectorSettings(), some),
            say=say,  # type: ignore[arg-type]
        ) as work,
    ):
        done = CliRunner().invoke(
            application(),
            ["replay", str(tmp_path / name / "readings.csv"), "--mqtt-url", device_mqtt_url],
        )
        assert done.exit_code == 0, done.output
        committed(database_url, readings)
        drain(work)
    told = live(database_url)
    assert without_silence(told) == without_silence(wanted)
    for ours, theirs in zip(silences(told), silences(wanted), strict=True):
        assert ours[1:] == theirs[1:]
        assert 0 <= ours[0] - theirs[0] <= HOUR_US


def without_silence(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Everything that a reading decides: it is the same to the microsecond and to the last digit."""
    return [each for each in told if each[2] != "silent" or each[4] == "over"]


def silences(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """(when, subject, rule, since, severity) of what the clock alone decides.

    The service was asked for the stream's clock, which stands between two hours of readings; a backtest's goes on, as
    the clock on the wall does.
    """
    return [(parse_time(each[0]), *each[1:5]) for each in told if each not in without_silence(told)]

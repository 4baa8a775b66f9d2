"""A motorway with stations 1 km apart, simulated vehicle by vehicle: the recording behind one line of the scorecard.

python -m benchmarks.corridor OUT.npz [--seed 7 --lanes 3 --days 10 --cadence 30]

makes it with Eclipse SUMO (`pip install eclipse-sumo`, not among our packages: it is asked for here alone). Each day
has four hours with a rush that overloads an on-ramp; from the third day on, three incidents block one or two lanes for
15 to 30 minutes wherever and whenever the seed says, in thin traffic and in queues. `case_from` writes such a
recording as a labelled case. It refuses to choose incidents by what they do to traffic.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.practice import ROOT

RECORDED: Final = ROOT / "tests" / "data" / "corridor_1km.npz"
"""Made by `python -m benchmarks.corridor tests/data/corridor_1km.npz`."""
WARM_DAYS: Final = 2
_HOURS: Final = 4
_FIRST: Final = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
_STATIONS_M: Final = tuple(range(500, 11_000, 1000))
_EDGES: Final = (
    ("west", 0, 4700),
    ("ramp", 4700, 4950),
    ("mid", 4950, 8200),
    ("east", 8200, 11_000),
)
_RUSH: Final = ((0.0, 0.50), (0.3, 0.72), (0.48, 1.0), (0.62, 1.14), (0.77, 0.85), (0.9, 0.6))
"""Share of the demand from a share of the day on."""
_DEMAND: Final = (
    ("through", "west ramp mid east", 1300),
    ("leaving", "west ramp mid off", 150),
    ("joining", "on ramp mid east", 380),
)
"""Vehicles an hour for each lane of the road, by route."""
_TYPES: Final = """
<vType id="car" length="4.6" minGap="2.5" tau="1.25" sigma="0.5" speedFactor="normc(1,.08,.8,1.2)"/>
<vType id="truck" length="13" tau="1.6" accel="1.2" maxSpeed="25" vClass="truck"/>"""
_LOOP: Final = re.compile(
    rb'begin="([\d.]+)" end="[\d.]+" id="(\d+)_\d" nVehContrib="(\d+)" flow="[\d.]+" '
    rb'occupancy="([\d.]+)" speed="(-?[\d.]+)"'
)  # fmt: skip


def simulate(seed: int, lanes: int, days: int, cadence_s: int) -> dict[str, NDArray[Any]]:
    """Run the days one after the other.

    Returns:
        count, speed (km/h, 255 where no vehicle passed), occupancy (half per cent), each uint8 (looks, stations);
        day, second: (looks,) of the end of each look; incident: (k, 5) day, first and last second, metres, lanes.
    """
    columns: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("count", "speed", "occupancy", "day", "second", "incident")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _network(folder, lanes)
        for day in range(days):
            chance = random.Random(1000 * seed + day)
            incidents = _incidents(chance, lanes) if day >= WARM_DAYS else []
            _traffic(folder, chance, lanes, incidents)
            _loops(folder, lanes, cadence_s)
            _sumo(
                "sumo", "-n", "net.xml", "-r", "routes.xml", "-a", "loops.xml", "-e", str(_HOURS * 3600),
                "--seed", str(100 * seed + day), "--time-to-teleport", "-1", "--no-step-log", "--no-warnings",
                "--collision.action", "none", folder=folder,
            )  # fmt: skip
            read = _read((folder / "out.xml").read_bytes(), cadence_s)
            for column, values in read.items():
                columns[column].append(values)
            columns["day"].append(np.full(len(read["second"]), day, np.uint8))
            columns["incident"].append(
                np.array([(day, *each) for each in incidents], np.int32).reshape(-1, 5)
            )
            print(f"day {day + 1} of {days}: {len(incidents)} incidents", file=sys.stderr)
    return {name: np.concatenate(parts) for name, parts in columns.items()} | {
        "cadence_s": np.array(cadence_s),
        "lanes": np.array(lanes),
        "position_m": np.array(_STATIONS_M),
    }


def corridor_case(folder: Path) -> tuple[str, Path]:
    """Write the recorded corridor below `folder` as a labelled case; its (name, folder)."""
    name = "simulated/corridor_1km"
    case_from(RECORDED, folder / name)
    return name, folder / name


def case_from(recording: Path, folder: Path) -> None:
    """Write a recording as a labelled case: readings.csv.gz, sensors.json and truth.json."""
    with np.load(recording) as kept:
        data = {name: kept[name] for name in kept.files}
    names = [f"S{at // 1000:02d}" for at in data["position_m"]]
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "readings.csv.gz", "wt", compresslevel=1, encoding="utf-8") as file:
        file.write("time,sensor_id,kind,metric,value\n")
        file.writelines(_lines(data, names))
    positions = data["position_m"].tolist()
    sensors = [
        {
            "sensor_id": name, "kind": "traffic", "position_m": at, "order": i, "lanes": int(data["lanes"]),
            "interval_s": int(data["cadence_s"]),
            "upstream": names[i - 1] if i else None,
            "downstream": names[i + 1] if i + 1 < len(names) else None,
        }
        for i, (name, at) in enumerate(zip(names, positions, strict=True))
    ]  # fmt: skip
    (folder / "sensors.json").write_text(json.dumps({"sensors": sensors}, indent=1))
    events = [
        {
            "id": f"i{i}",
            "series": [n for n, at in zip(names, positions, strict=True) if place - 2600 <= at <= place + 1000],
            "start": _at(day, first), "end": _at(day, last), "kind": "incident", "scored": True,
            "size": {"x_m": place, "lanes_blocked": blocked},
        }
        for i, (day, first, last, place, blocked) in enumerate(data["incident"].tolist())
    ]  # fmt: skip
    last_day = int(data["day"][-1])
    truth = {
        "case": folder.name, "domain": "traffic", "interval_s": int(data["cadence_s"]),
        "eval_start": _at(WARM_DAYS, 0), "eval_end": _at(last_day, _HOURS * 3600),
        "day_windows": "13:00-17:00", "sensors": sensors, "events": events, "ignore": [], "benign": [],
        "fa_merge_hours": 0.5, "match_grace_hours": 0.1,
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def _lines(data: dict[str, NDArray[Any]], names: list[str]) -> Iterator[str]:
    for i, (day, second) in enumerate(
        zip(data["day"].tolist(), data["second"].tolist(), strict=True)
    ):
        at = _at(day, second)
        for j, name in enumerate(names):
            count, speed = int(data["count"][i, j]), int(data["speed"][i, j])
            yield f"{at},{name},loop_detector,volume_veh,{count}\n"
            yield f"{at},{name},loop_detector,occupancy_pct,{data['occupancy'][i, j] / 2}\n"
            if speed < 255:
                yield f"{at},{name},loop_detector,speed_kmh,{speed}\n"


def _at(day: int, second: int) -> str:
    weeks, weekday = divmod(day, 5)
    at = _FIRST + timedelta(weeks=weeks, days=weekday, seconds=second)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _incidents(chance: random.Random, lanes: int) -> list[tuple[int, int, int, int]]:
    """(first second, last second, metres, lanes blocked) of three of them, an hour and a quarter apart."""
    found = []
    for third in range(3):
        first = int(_HOURS * 3600 * (0.06 + 0.31 * third + chance.uniform(0.0, 0.14)))
        lasts = chance.choice([900, 1200, 1500, 1800])
        blocked = min(chance.choice([1, 2, 2]), lanes - 1)
        found.append((first, first + lasts, chance.randrange(1100, 9900), blocked))
    return found


_NODES: Final = (
    ("a", 0, 0), ("m", 4700, 0), ("n", 4950, 0), ("x", 8200, 0), ("z", 11_000, 0), ("r", 4200, -120), ("o", 8600, -120),
)  # fmt: skip


def _network(folder: Path, lanes: int) -> None:
    edges = (
        ("west", "a", "m", lanes, 30.5), ("ramp", "m", "n", lanes + 1, 30.5), ("mid", "n", "x", lanes, 30.5),
        ("east", "x", "z", lanes, 30.5), ("on", "r", "m", 1, 22), ("off", "x", "o", 1, 22),
    )  # fmt: skip
    joins = [("west", "ramp", i, i + 1) for i in range(lanes)] + [("on", "ramp", 0, 0)]
    joins += [("ramp", "mid", i + 1, i) for i in range(lanes)]
    joins += [("mid", "east", i, i) for i in range(lanes)] + [("mid", "off", 0, 0)]
    nodes = (f'<node id="{name}" x="{x}" y="{y}"/>' for name, x, y in _NODES)
    roads = (
        f'<edge id="{name}" from="{a}" to="{b}" numLanes="{n}" speed="{metres_a_s}"/>'
        for name, a, b, n, metres_a_s in edges
    )
    ways = (
        f'<connection from="{a}" to="{b}" fromLane="{i}" toLane="{j}"/>' for a, b, i, j in joins
    )
    (folder / "n.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "n.edg.xml").write_text(f"<edges>{''.join(roads)}</edges>")
    (folder / "n.con.xml").write_text(f"<connections>{''.join(ways)}</connections>")
    _sumo(
        "netconvert", "-n", "n.nod.xml", "-e", "n.edg.xml", "-x", "n.con.xml", "-o", "net.xml", "--no-warnings",
        folder=folder,
    )  # fmt: skip


def _traffic(
    folder: Path, chance: random.Random, lanes: int, incidents: list[tuple[int, int, int, int]]
) -> None:
    today = chance.uniform(0.93, 1.07)
    starts: list[tuple[int, str]] = []
    ends = [*(share for share, _ in _RUSH[1:]), 1.0]
    for (share, level), until in zip(_RUSH, ends, strict=True):
        begin, end = int(share * _HOURS * 3600), int(until * _HOURS * 3600)
        for route, edges, veh_per_h in _DEMAND:
            for kind, part in (("car", 0.9), ("truck", 0.1)):
                rate = veh_per_h * lanes * level * today * part * chance.uniform(0.97, 1.03) / 3600
                pieces = int(rate) + 1  # a flow starts at most one vehicle a second
                starts += [
                    (begin, f'<flow id="{route}{kind}{begin}_{i}" type="{kind}" begin="{begin}" end="{end}" '
                     f'probability="{rate / pieces:.4f}" departLane="free" departSpeed="max">'
                     f'<route edges="{edges}"/></flow>')
                    for i in range(pieces)
                ]  # fmt: skip
    for first, last, place, blocked in incidents:
        edge, at = _place(place)
        rest = " ".join(name for name, _, end in _EDGES if end > place)
        shift = 1 if edge == "ramp" else 0
        side = chance.choice([0, lanes - blocked]) + shift
        starts += [
            (first, f'<vehicle id="stopped{first}_{lane}" type="car" depart="{first}" departLane="{lane}" '
             f'departPos="{max(at - 8, 1)}" departSpeed="0"><route edges="{rest}"/>'
             f'<stop lane="{edge}_{lane}" endPos="{max(at, 9)}" duration="{last - first}"/></vehicle>')
            for lane in range(side, side + blocked)
        ]  # fmt: skip
    starts.sort(key=lambda start: start[0])
    body = "".join(text for _, text in starts)
    (folder / "routes.xml").write_text(f"<routes>{_TYPES}{body}</routes>")


def _loops(folder: Path, lanes: int, cadence_s: int) -> None:
    loops = []
    for place in _STATIONS_M:
        edge, at = _place(place)
        shift = 1 if edge == "ramp" else 0
        loops += [
            f'<inductionLoop id="{place}_{lane}" lane="{edge}_{lane + shift}" pos="{at}" freq="{cadence_s}" '
            f'file="out.xml"/>'
            for lane in range(lanes)
        ]  # fmt: skip
    (folder / "loops.xml").write_text(f"<additional>{''.join(loops)}</additional>")


def _place(metres: int) -> tuple[str, int]:
    return next((edge, metres - begin) for edge, begin, end in _EDGES if begin <= metres < end)


def _read(text: bytes, cadence_s: int) -> dict[str, NDArray[Any]]:
    found = np.array([[float(x) for x in each] for each in _LOOP.findall(text)])
    look = (found[:, 0] / cadence_s).astype(np.int64)
    station = np.searchsorted(_STATIONS_M, found[:, 1])
    shape = (int(look.max()) + 1, len(_STATIONS_M))
    count, travelled, covered, loops = (np.zeros(shape) for _ in range(4))
    np.add.at(count, (look, station), found[:, 2])
    np.add.at(travelled, (look, station), found[:, 2] * np.maximum(found[:, 4], 0) * 3.6)
    np.add.at(covered, (look, station), found[:, 3])
    np.add.at(loops, (look, station), 1)
    speed = np.where(count > 0, travelled / np.maximum(count, 1), 255)
    return {
        "count": count.astype(np.uint8),
        "speed": speed.round().astype(np.uint8),
        "occupancy": (2 * covered / np.maximum(loops, 1)).round().astype(np.uint8),
        "second": ((np.arange(shape[0]) + 1) * cadence_s).astype(np.uint16),
    }


def _sumo(program: str, *arguments: str, folder: Path) -> None:
    path = shutil.which(program)
    if path is None:
        path = shutil.which(program, path=str(Path(sys.executable).parent))
    if path is None:
        raise SystemExit(f"{program} is not here: pip install eclipse-sumo")
    subprocess.run([path, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def main(arguments: list[str] | None = None) -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name, default in (("seed", 7), ("lanes", 3), ("days", 10), ("cadence", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    recorded = simulate(chosen.seed, chosen.lanes, chosen.days, chosen.cadence)
    np.savez_compressed(chosen.out, allow_pickle=False, **recorded)


if __name__ == "__main__":
    main()

"""A motorway with loops, an on-ramp and an off-ramp, simulated vehicle by vehicle with Eclipse SUMO.

SUMO (`pip install eclipse-sumo`) is not among our packages: it is asked for here alone. Each day has a rush that
overloads the on-ramp; on every day after the first ones incidents block lanes wherever and whenever the seed says, in
thin traffic and in queues. It refuses to choose incidents by what they do to traffic, and to know files of cases.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Seen = dict[str, NDArray[Any]]
Blocked = tuple[int, int, int, int]
"""First second, last second, metres, lanes."""
_RAMP_M: Final = 250
_NODE_M: Final = 60
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
_STOP: Final = re.compile(rb'id="stopped(\d+)_\d+".*?started="([\d.]+)" ended="([\d.]+)"')


@dataclass(frozen=True, slots=True)
class Motorway:
    """What is simulated.

    Attributes:
        seed, lanes: of the road.
        stations_m: where the loops are; end_m: the length of the road; on_m, off_m: where its ramps are.
        metres_a_s: the limit of speed.
        days, warm_days: how many, and how many of them come before the first incident.
        hours: of each day; cadence_s: between readings.
        rush: (share of the day, share of the demand from then on).
        incidents: a day; lasts_s: one of which each lasts; first: share of the day before the first, apart: from one
            to the next, spread: by which each may be later; place_m: between which they are.
    """

    seed: int
    lanes: int
    stations_m: tuple[int, ...]
    end_m: int
    on_m: int
    off_m: int
    days: int
    warm_days: int
    hours: int
    cadence_s: int
    rush: tuple[tuple[float, float], ...]
    metres_a_s: float = 30.5
    incidents: int = 3
    lasts_s: tuple[int, ...] = (900, 1200, 1500, 1800)
    first: float = 0.06
    apart: float = 0.31
    spread: float = 0.14
    place_m: tuple[int, int] = (1100, 9900)

    @property
    def edges(self) -> tuple[tuple[str, int, int], ...]:
        """(name, begin, end) of the road's parts, in metres."""
        merged = self.on_m + _RAMP_M
        return (
            ("west", 0, self.on_m),
            ("ramp", self.on_m, merged),
            ("mid", merged, self.off_m),
            ("east", self.off_m, self.end_m),
        )

    def place(self, metres: int) -> tuple[str, int]:
        """The part of the road and the metres along it, not so near its end that the next part's nodes cut it off."""
        return next(
            (name, min(metres, b - _NODE_M) - a) for name, a, b in self.edges if a <= metres < b
        )


def simulate(road: Motorway) -> Seen:
    """Run the days one after the other.

    Returns:
        count, speed (km/h, NaN where no vehicle passed), occupancy (%), each float (looks, stations); day, second:
        (looks,) of the end of each look; incident: (k, 5) day, first and last second, metres, lanes, as it was
        ordered; stood: (k, 2) first and last second at which vehicles stood there (a queue lets them in late).
    """
    names = ("count", "speed", "occupancy", "day", "second", "incident", "stood")
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _network(folder, road)
        for day in range(road.days):
            chance = random.Random(1000 * road.seed + day)
            incidents = _incidents(chance, road) if day >= road.warm_days else []
            _traffic(folder, chance, road, incidents)
            _loops(folder, road)
            _sumo(
                "sumo", "-n", "net.xml", "-r", "routes.xml", "-a", "loops.xml", "-e", str(road.hours * 3600),
                "--seed", str(100 * road.seed + day), "--time-to-teleport", "-1", "--no-step-log", "--no-warnings",
                "--collision.action", "none", "--stop-output", "stops.xml", folder=folder,
            )  # fmt: skip
            read = _read((folder / "out.xml").read_bytes(), road)
            for column, values in read.items():
                columns[column].append(values)
            columns["day"].append(np.full(len(read["second"]), day, np.uint8))
            columns["incident"].append(
                np.array([(day, *each) for each in incidents], np.int32).reshape(-1, 5)
            )
            columns["stood"].append(_stood((folder / "stops.xml").read_bytes(), incidents))
            print(f"day {day + 1} of {road.days}: {len(incidents)} incidents", file=sys.stderr)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _incidents(chance: random.Random, road: Motorway) -> list[Blocked]:
    found = []
    for i in range(road.incidents):
        begin = road.first + road.apart * i + chance.uniform(0.0, road.spread)
        first = int(road.hours * 3600 * begin)
        lasts = chance.choice(road.lasts_s)
        blocked = min(chance.choice([1, 2, 2]), road.lanes - 1)
        found.append((first, first + lasts, chance.randrange(*road.place_m), blocked))
    return found


def _network(folder: Path, road: Motorway) -> None:
    lanes, limit = road.lanes, road.metres_a_s
    merged = road.on_m + _RAMP_M
    places = (
        ("a", 0, 0), ("m", road.on_m, 0), ("n", merged, 0), ("x", road.off_m, 0), ("z", road.end_m, 0),
        ("r", road.on_m - 500, -120), ("o", road.off_m + 400, -120),
    )  # fmt: skip
    edges = (
        ("west", "a", "m", lanes, limit), ("ramp", "m", "n", lanes + 1, limit), ("mid", "n", "x", lanes, limit),
        ("east", "x", "z", lanes, limit), ("on", "r", "m", 1, 22), ("off", "x", "o", 1, 22),
    )  # fmt: skip
    joins = [("west", "ramp", i, i + 1) for i in range(lanes)] + [("on", "ramp", 0, 0)]
    joins += [("ramp", "mid", i + 1, i) for i in range(lanes)]
    joins += [("mid", "east", i, i) for i in range(lanes)] + [("mid", "off", 0, 0)]
    nodes = (f'<node id="{name}" x="{x}" y="{y}"/>' for name, x, y in places)
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


def _traffic(folder: Path, chance: random.Random, road: Motorway, incidents: list[Blocked]) -> None:
    today = chance.uniform(0.93, 1.07)
    starts: list[tuple[int, str]] = []
    ends = [*(share for share, _ in road.rush[1:]), 1.0]
    for (share, level), until in zip(road.rush, ends, strict=True):
        begin, end = int(share * road.hours * 3600), int(until * road.hours * 3600)
        for route, edges, veh_per_h in _DEMAND:
            for kind, part in (("car", 0.9), ("truck", 0.1)):
                draw = chance.uniform(0.97, 1.03)
                rate = veh_per_h * road.lanes * level * today * part * draw / 3600
                pieces = int(rate) + 1  # a flow starts at most one vehicle a second
                starts += [
                    (begin, f'<flow id="{route}{kind}{begin}_{i}" type="{kind}" begin="{begin}" end="{end}" '
                     f'probability="{rate / pieces:.4f}" departLane="free" departSpeed="max">'
                     f'<route edges="{edges}"/></flow>')
                    for i in range(pieces)
                ]  # fmt: skip
    for first, last, place, blocked in incidents:
        edge, at = road.place(place)
        rest = " ".join(name for name, _, end in road.edges if end > place)
        shift = 1 if edge == "ramp" else 0
        side = chance.choice([0, road.lanes - blocked]) + shift
        starts += [
            (first, f'<vehicle id="stopped{first}_{lane}" type="car" depart="{first}" departLane="{lane}" '
             f'departPos="{max(at - 8, 1)}" departSpeed="0"><route edges="{rest}"/>'
             f'<stop lane="{edge}_{lane}" endPos="{max(at, 9)}" duration="{last - first}"/></vehicle>')
            for lane in range(side, side + blocked)
        ]  # fmt: skip
    starts.sort(key=lambda start: start[0])
    body = "".join(text for _, text in starts)
    (folder / "routes.xml").write_text(f"<routes>{_TYPES}{body}</routes>")


def _loops(folder: Path, road: Motorway) -> None:
    loops = []
    for place in road.stations_m:
        edge, at = road.place(place)
        shift = 1 if edge == "ramp" else 0
        loops += [
            f'<inductionLoop id="{place}_{lane}" lane="{edge}_{lane + shift}" pos="{at}" freq="{road.cadence_s}" '
            f'file="out.xml"/>'
            for lane in range(road.lanes)
        ]  # fmt: skip
    (folder / "loops.xml").write_text(f"<additional>{''.join(loops)}</additional>")


def _read(text: bytes, road: Motorway) -> Seen:
    found = np.array([[float(x) for x in each] for each in _LOOP.findall(text)])
    look = (found[:, 0] / road.cadence_s).astype(np.int64)
    station = np.searchsorted(road.stations_m, found[:, 1])
    shape = (int(look.max()) + 1, len(road.stations_m))
    count, travelled, covered, loops = (np.zeros(shape) for _ in range(4))
    np.add.at(count, (look, station), found[:, 2])
    np.add.at(travelled, (look, station), found[:, 2] * np.maximum(found[:, 4], 0) * 3.6)
    np.add.at(covered, (look, station), found[:, 3])
    np.add.at(loops, (look, station), 1)
    return {
        "count": count,
        "speed": np.where(count > 0, travelled / np.maximum(count, 1), np.nan),
        "occupancy": covered / np.maximum(loops, 1),
        "second": ((np.arange(shape[0]) + 1) * road.cadence_s).astype(np.uint16),
    }


def _stood(text: bytes, incidents: list[Blocked]) -> NDArray[np.int32]:
    """First and last second of each incident's stops; those that were ordered where none came to stand."""
    found: dict[int, tuple[float, float]] = {}
    for ordered, first, last in _STOP.findall(text):
        begin, end = found.get(int(ordered), (np.inf, 0.0))
        found[int(ordered)] = (min(begin, float(first)), max(end, float(last)))
    return np.array(
        [found.get(first, (first, last)) for first, last, _, _ in incidents], np.int32
    ).reshape(-1, 2)


def _sumo(program: str, *arguments: str, folder: Path) -> None:
    path = shutil.which(program)
    if path is None:
        path = shutil.which(program, path=str(Path(sys.executable).parent))
    if path is None:
        raise SystemExit(f"{program} is not here: pip install eclipse-sumo")
    subprocess.run([path, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

"""Roads as other cities tell them: the labelled corridors with messages lost, metrics missing, rare readings, noise.

python -m benchmarks road_variants [-- --only "5 min"]  ->  build/bench/road_variants.json. The detectors are as for the
scorecard; each line says what a change of the data costs. Some 6 minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import report
from benchmarks.corridor import corridor_case
from benchmarks.practice import practice_folder
from benchmarks.road_recording import (
    COUNT,
    OCCUPANCY,
    SPEED,
    Recording,
    jittered,
    lossy,
    noisy,
    recording_of,
    renamed,
    short,
    slower,
    thinned,
    without,
)
from services.detect.recorded.backtest import run_case
from services.detect.scoring.alert_lines import parse_alerts
from services.detect.scoring.families import Family
from services.detect.scoring.figures import Figures, figures
from services.detect.scoring.matching import Matching, match
from services.detect.scoring.truth import Event

VARIANTS: Final[Mapping[str, Callable[[Recording], Recording]]] = {
    "as it is": lambda road: road,
    "names in another order": renamed,
    "2 % of the messages lost": lambda road: lossy(road, 0.02),
    "10 % of the messages lost": lambda road: lossy(road, 0.10),
    "stamps up to 10 s late": lambda road: jittered(road, 10),
    "noise of 10 %": lambda road: noisy(road, 0.10),
    "speeds of 80 %": lambda road: slower(road, 0.8),
    "four hours of history": lambda road: short(road, 4 / 24),
    "no occupancy": lambda road: without(road, OCCUPANCY),
    "no count": lambda road: without(road, COUNT),
    "no speed": lambda road: without(road, SPEED),
    "speed only": lambda road: without(road, COUNT, OCCUPANCY),
    "1 min": lambda road: thinned(road, 60),
    "5 min": lambda road: thinned(road, 300),
    "5 min, speed only": lambda road: without(thinned(road, 300), COUNT, OCCUPANCY),
    "5 min, no speed": lambda road: without(thinned(road, 300), SPEED),
    "15 min": lambda road: thinned(road, 900),
}
"""Name -> what is done to the recording."""
FAMILIES: Final[Mapping[str, frozenset[str]]] = {
    "incident": frozenset({Family.INCIDENT}),
    "congestion": frozenset({Family.CONGESTION}),
    "malfunction": frozenset({Family.MALFUNCTION, Family.MISSING, Family.STUCK}),
}
"""Name -> the families of the scorer's that count as it."""


def matched(road: Recording) -> Matching:
    """What the service tells of the road, beside its truth."""
    alerts = parse_alerts([json.dumps(line) for line in run_case(road)], "variant")
    return match(road.truth, alerts)


def figures_of(
    road: Recording, matching: Matching, name: str, chosen: Callable[[Event], bool] = lambda _: True
) -> Figures | None:
    """The figures of a family, or of some of its events; None where the road has none."""
    family = FAMILIES[name]

    def counts(event: Event) -> bool:
        return event.family in family and chosen(event)

    if not any(event.scored and counts(event) for event in road.truth.events):
        return None
    sensor_days = len(road.sensors) * road.truth.days
    return figures(matching, sensor_days, float(road.dates), counts, family)


def judge(road: Recording) -> dict[str, Figures]:
    """The figures of each family of which the road has events."""
    matching = matched(road)
    found = {name: figures_of(road, matching, name) for name in FAMILIES}
    return {name: each for name, each in found.items() if each is not None}


def main(arguments: list[str] | None = None) -> None:
    """Judge every variant of the corridors that are here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="variants whose name has this in it")
    chosen = parser.parse_args(arguments)
    rows: list[list[report.Cell]] = []
    for case, road in _roads().items():
        for name, change in VARIANTS.items():
            if chosen.only not in name:
                continue
            for family, found in judge(change(road)).items():
                minutes = None if found.median_h is None else 60 * found.median_h
                rows.append(
                    [case, name, family, found.events, found.recall, found.per_day, minutes]
                )
    head = ("corridor", "told", "family", "events", "recall", "false alarms a day", "median min")
    print(report.table("Roads as others tell them", head, rows))
    report.write("road_variants", {"lines": [dict(zip(head, row, strict=True)) for row in rows]})


def _roads() -> dict[str, Recording]:
    """The recorded corridor, and that of the practice set where it is here."""
    with TemporaryDirectory() as name:
        roads = {"1 km": recording_of(corridor_case(Path(name))[1])}
    practice = practice_folder() / "traffic" / "sumo_corridor"
    if practice.is_dir():
        roads["0.8 km"] = recording_of(practice)
    return roads


if __name__ == "__main__":
    main()

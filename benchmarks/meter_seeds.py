"""The cases of one seed of real homes injected anew: written, run through the detectors, scored group by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.coarse_meters import DAILY, TWICE_A_DAY, coarse_case
from benchmarks.natural_homes import natural_homes
from benchmarks.practice import practice_folder
from benchmarks.reinjected_meters import PLAIN, VARIED, Injector
from benchmarks.split_meters import split_case
from services.detect.recorded.backtest import write_alerts
from services.detect.scoring.case_files import read_alerts, read_truth, read_watched
from services.detect.scoring.figures import Figures, families_of, family, of_family
from services.detect.scoring.figures import figures as figures_of
from services.detect.scoring.matching import Matching, match
from services.domain.instant import isoformat

_READ: Final = {"15min": "plain", "12h": "plain", "daily": "plain"}
"""Cases that are another read otherwise."""
GROUPS: Final = ("plain", *(group.name for group in VARIED), *_READ)
Scores = dict[str, dict[str, Figures]]
"""Group -> family, or `all` -> figures."""


def write_seed(folder: Path, seed: int, cases: Sequence[str]) -> None:
    """The cases of a seed below a folder, as far as they are not there."""
    practice = practice_folder()
    wanted = {_READ.get(case, case) for case in cases}
    missing = [each for each in sorted(wanted) if not (folder / each / "truth.json").is_file()]
    homes = natural_homes(practice) if missing else {}
    for case in missing:
        groups = (PLAIN,) if case == "plain" else VARIED
        Injector(homes, groups, seed * 2 + (case == "plain")).write(folder / case)
    for case in cases:
        if case not in _READ or (folder / case / "truth.json").is_file():
            continue
        source = folder / _READ[case]
        if case == "15min":
            split_case(source, folder / case, seed)
        else:
            coarse_case(source, folder / case, TWICE_A_DAY if case == "12h" else DAILY, seed)


def run_seed(folder: Path, seed: int, only: Sequence[str], say: bool) -> tuple[Scores, list[str]]:
    """Figures of a seed's groups, and a sentence for each miss and false alarm."""
    cases = [case for case in ("plain", "varied", *_READ) if case in only]
    if "varied" not in cases and any(group.name in only for group in VARIED):
        cases.append("varied")
    folder = folder / str(seed)
    write_seed(folder, seed, cases)
    scores: Scores = {}
    said: list[str] = []
    for case in cases:
        here, alerts = folder / case, folder / case / "alerts.jsonl"
        write_alerts(here, alerts)
        whole, lines = read_truth(here), read_alerts(alerts)
        watched = read_watched(here, whole)
        prefixes = [group.name for group in VARIED] if case == "varied" else ["plain"]
        for prefix in prefixes:
            group = prefix if case == "varied" else case
            if group not in only:
                continue
            mine = tuple(s for s in watched.sensor_ids if s.startswith(f"{prefix}-"))
            events = tuple(each for each in whole.events if set(each.series) <= set(mine))
            truth = replace(whole, events=events)
            matching = match(truth, [line for line in lines if line.sensor_id in mine])
            days, dates = len(mine) * truth.days, float(watched.dates)
            scores[group] = {"all": figures_of(matching, days, dates)} | {
                each: of_family(matching, each, days, dates) for each in families_of(matching)
            }
            if say:
                said += _told(f"{seed} {group}", matching)
    return scores, said


def _told(where: str, matching: Matching) -> list[str]:
    missed = [
        f"{where}: missed {e.kind} {e.series[0]} {isoformat(e.start_us)} to {isoformat(e.end_us)} {e.id}"
        for e in matching.misses
    ]
    return missed + [
        f"{where}: false {family(e)} {e.alerts[0].kind} {e.alerts[0].sensor_id} {isoformat(e.alerts[0].detected_us)}"
        f"{' in ' + e.benign.reason if e.benign else ''}"
        for e in matching.false_alarms
    ]

"""A simulated motorway as a labelled case: what its stations said, what is known of them, and what is true.

Incidents are as they were simulated; jams are a definition (below 64 km/h for ten minutes, on means of three
readings, by what really passed; a pause of less than ten minutes ends none); faults are those put in. Where the truth
is arguable alerts cost nothing: beside a jam while traffic is below 72 km/h, at an incident for half an hour after its
end.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.motorway import Motorway, Seen
from benchmarks.motorway_faults import Fault

_FIRST: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_ABOVE_M, _BELOW_M = 2600, 1200
_JAM, _NEARLY, _JAM_S = 64.0, 72.0, 600
_PAUSE_S: Final = 600
_MARGIN_S: Final = (180, 600)
_DISCHARGE_S: Final = 1800
_METRICS: Final = (
    ("count", "volume_veh", 0),
    ("occupancy", "occupancy_pct", 2),
    ("speed", "speed_kmh", 1),
)


def write_case(
    folder: Path, road: Motorway, true: Seen, said: Seen, faults: Sequence[Fault]
) -> None:
    """Write readings.csv.gz, sensors.json and truth.json.

    Args:
        true: as it was simulated; said: as the detectors tell it, with `faults`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"M{i:02d}" for i in range(len(road.stations_m))]
    with gzip.open(folder / "readings.csv.gz", "wt", compresslevel=1, encoding="utf-8") as file:
        file.write("time,sensor_id,kind,metric,value\n")
        file.writelines(_lines(said, names))
    sensors = [
        {
            "sensor_id": name, "kind": "traffic", "position_m": at, "order": i, "lanes": road.lanes,
            "interval_s": road.cadence_s,
            "upstream": names[i - 1] if i else None,
            "downstream": names[i + 1] if i + 1 < len(names) else None,
        }
        for i, (name, at) in enumerate(zip(names, road.stations_m, strict=True))
    ]  # fmt: skip
    (folder / "sensors.json").write_text(json.dumps({"sensors": sensors}, indent=1))
    incidents = _incidents(road, true, names)
    broken = _malfunctions(true, faults, names)
    jams, nearly = _jams(road, true, names)
    jams = [jam for jam in jams if not any(_hides(fault, jam) for fault in broken)]
    after = [
        {
            "series": each["series"], "families": ["incident"], "start": each["end"],
            "end": _told(datetime.fromisoformat(each["end"]) + timedelta(seconds=_DISCHARGE_S)),
            "reason": "queue discharge",
        }
        for each in incidents
    ]  # fmt: skip
    last = int(true["day"][-1])
    truth = {
        "case": folder.name, "domain": "traffic", "interval_s": road.cadence_s,
        "eval_start": _at(road.warm_days, 0), "eval_end": _at(last, road.hours * 3600),
        "day_windows": f"12:00-{12 + road.hours}:00", "sensors": sensors,
        "events": incidents + jams + broken, "ignore": after + nearly, "benign": [],
        "fa_merge_hours": 0.5, "match_grace_hours": 0.1,
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def _incidents(road: Motorway, true: Seen, names: list[str]) -> list[dict[str, Any]]:
    places = np.array(road.stations_m)
    mean = _means(true["speed"], 5)
    found = []
    for i, ((day, *_, place, blocked), (first, last)) in enumerate(
        zip(true["incident"].tolist(), true["stood"].tolist(), strict=True)
    ):
        near = np.flatnonzero((places >= place - _ABOVE_M) & (places <= place + _BELOW_M))
        above = np.flatnonzero(places < place)[-2:]
        during = (true["day"] == day) & (true["second"] > first) & (true["second"] <= last)
        lowest = float(np.nanmin(mean[np.ix_(during, above)]))
        found.append(
            {
                "id": f"d{day}i{i}", "series": [names[j] for j in near], "start": _at(day, first),
                "end": _at(day, last), "kind": "incident", "scored": True,
                "size": {
                    "x_m": place, "lanes_blocked": blocked, "of": road.lanes,
                    "min_mean_speed_upstream_kmh": round(lowest, 1),
                },
            }
        )  # fmt: skip
    return found


def _jams(
    road: Motorway, true: Seen, names: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events, and the windows around them and around what is nearly one."""
    events, windows = [], []
    day, second, step = true["day"], true["second"], road.cadence_s
    for j, name in enumerate(names):
        for some in np.unique(day[day >= road.warm_days]):
            looks = np.flatnonzero(day == some)
            mean = _means(_filled(true["speed"][looks, j]), 3)
            for a, b in _joined(_runs(mean < _JAM), _PAUSE_S // step):
                if (b - a) * step < _JAM_S:
                    continue
                events.append(
                    {
                        "id": f"c{some}_{j}_{a}", "series": [name], "kind": "congestion", "scored": True,
                        "start": _at(int(some), int(second[looks[a]])),
                        "end": _at(int(some), int(second[looks[b - 1]])),
                        "size": {"minutes": (b - a) * step / 60},
                    }
                )  # fmt: skip
            windows += [
                {
                    "series": [name], "families": ["congestion"], "reason": "nearly a jam",
                    "start": _at(int(some), int(second[looks[a]]) - _MARGIN_S[0]),
                    "end": _at(int(some), int(second[looks[b - 1]]) + _MARGIN_S[1]),
                }
                for a, b in _runs(mean < _NEARLY)
            ]  # fmt: skip
    return events, windows


def _malfunctions(true: Seen, faults: Sequence[Fault], names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"m{i}", "series": [names[f.station]], "fault": f.kind, "scored": True, "size": {"fault": f.kind},
            "kind": "missing_data" if f.kind == "missing" else "detector_malfunction",
            "start": _at(int(true["day"][f.first]), int(true["second"][f.first])),
            "end": _at(int(true["day"][f.last]), int(true["second"][f.last])),
        }
        for i, f in enumerate(faults)
    ]  # fmt: skip


def _hides(fault: Mapping[str, Any], jam: Mapping[str, Any]) -> bool:
    """Whether the jam is one at a faulty station: nobody can ask a detector that is broken for it."""
    overlap = fault["start"] < jam["end"] and jam["start"] < fault["end"]
    return bool(overlap and fault["series"] == jam["series"])


def _filled(speed: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last speed where no vehicle passed."""
    at = np.maximum.accumulate(np.where(np.isfinite(speed), np.arange(len(speed)), 0))
    return speed[at]


def _means(speed: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Means of so many readings around each, of those that have a speed."""
    kernel = np.ones(width)
    columns = speed.reshape(len(speed), -1).T
    known = np.array([np.convolve(np.isfinite(each), kernel, "same") for each in columns])
    total = np.array([np.convolve(np.nan_to_num(each), kernel, "same") for each in columns])
    return (total / np.where(known > 0, known, np.nan)).T.reshape(speed.shape)


def _runs(is_on: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(first, one beyond the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_on.astype(np.int8), [0]])))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _joined(runs: Iterator[tuple[int, int]], pause: int) -> list[tuple[int, int]]:
    """The runs, those put together between which there are fewer looks than `pause`."""
    found: list[tuple[int, int]] = []
    for a, b in runs:
        if found and a - found[-1][1] < pause:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


def _lines(said: Seen, names: list[str]) -> Iterator[str]:
    for i, (day, second) in enumerate(
        zip(said["day"].tolist(), said["second"].tolist(), strict=True)
    ):
        at = _at(day, second)
        for j, name in enumerate(names):
            for column, metric, digits in _METRICS:
                value = said[column][i, j]
                if np.isfinite(value):
                    yield f"{at},{name},loop_detector,{metric},{round(float(value), digits)}\n"


def _at(day: int, second: int) -> str:
    weeks, weekday = divmod(day, 5)
    return _told(_FIRST + timedelta(weeks=weeks, days=weekday, seconds=second))


def _told(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")

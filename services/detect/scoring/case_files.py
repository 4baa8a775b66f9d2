"""Finds and reads a labelled case: truth.json, the ids and dates of its readings, and files of alerts.

The only file of the scoring that touches a disk. It refuses to read the lines of readings itself: `lines` does that,
for the backtest as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from services.detect.recorded.lines import AS_USUAL, BadLines, readings_file, recorded_lines
from services.detect.recorded.writing import Writing
from services.detect.scoring.alert_lines import AlertLine, parse_alerts
from services.detect.scoring.figures import Figures, families_of, figures, of_family, with_chance
from services.detect.scoring.matching import Matching, match
from services.detect.scoring.truth import Truth, parse_truth
from services.domain.errors import InvalidInput
from services.domain.instant import DAY_US


@dataclass(frozen=True, slots=True)
class Watched:
    """How much of a case was watched.

    Attributes:
        sensor_ids: those with readings, in order.
        dates: on how many dates of the judged time there are readings.
    """

    sensor_ids: tuple[str, ...]
    dates: int


@dataclass(frozen=True, slots=True)
class Scored:
    """A case and what the alerts were worth in it.

    Attributes:
        name: of the case, as it was asked for.
        folder: where it is.
        truth, watched, matching: what went in.
        alerts: all of them.
        whole: figures of the case.
        by_family: the same for each family of its events and false alarms.
    """

    name: str
    folder: Path
    truth: Truth
    watched: Watched
    alerts: tuple[AlertLine, ...]
    matching: Matching
    whole: Figures
    by_family: dict[str, Figures]

    @property
    def sensor_days(self) -> float:
        """Sensors times days of 24 recorded hours."""
        return self.whole.sensor_days


def cases_below(root: Path) -> list[tuple[str, Path]]:
    """(name, folder) of every labelled case: the folder itself, or those below it by their relative path.

    Raises:
        InvalidInput: there is none.
    """
    if (root / "truth.json").is_file():
        return [(root.name, root)]
    found = [
        (path.parent.relative_to(root).as_posix(), path.parent)
        for path in sorted(root.rglob("truth.json"))
    ]
    if not found:
        raise InvalidInput(
            "case", str(root), "a folder with truth.json, or with such folders below"
        )
    return found


def score_case(name: str, folder: Path, alerts: Path | None, writing: Writing = AS_USUAL) -> Scored:
    """Score the alerts of a file (None: no alerts) against the case of a folder.

    Raises:
        InvalidInput: a file is missing or not understood; the message names it.
    """
    truth = read_truth(folder)
    watched = read_watched(folder, truth, writing)
    lines = read_alerts(alerts) if alerts else []
    matching = match(truth, lines)
    sensors = len(truth.scored_sensors or watched.sensor_ids)
    sensor_days, days = sensors * truth.days, float(watched.dates)
    whole = figures(matching, sensor_days, days)
    return Scored(
        name=name,
        folder=folder,
        truth=truth,
        watched=watched,
        alerts=tuple(lines),
        matching=matching,
        whole=with_chance(whole, truth, (truth.scored_sensors or watched.sensor_ids)[0]),
        by_family={
            each: of_family(matching, each, sensor_days, days) for each in families_of(matching)
        },
    )


def read_truth(folder: Path) -> Truth:
    """The truth of a case's folder."""
    path = folder / "truth.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput("case", str(folder), "a folder with truth.json") from error
    except (OSError, ValueError) as error:
        raise InvalidInput("truth", str(path), f"a JSON document ({error})") from error
    if not isinstance(facts, dict):
        raise InvalidInput("truth", str(path), "a JSON object")
    return parse_truth(facts)


def read_alerts(path: Path) -> list[AlertLine]:
    """The alerts of a file of JSON lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            "alerts", str(path), f"a readable file of JSON lines ({error})"
        ) from error
    return parse_alerts(text.splitlines(), path.name)


def read_watched(folder: Path, truth: Truth, writing: Writing = AS_USUAL) -> Watched:
    """The sensors and dates of a case's readings; errors as of a backtest over it."""
    ids: set[str] = set()
    days: set[int] = set()
    before: str | None = None
    for line in recorded_lines(readings_file(folder), BadLines(), writing):
        ids.add(line.sensor_id)
        if line.when != before:
            before = line.when
            if truth.start_us <= line.at_us < truth.end_us:
                days.add(line.at_us // DAY_US)
    if not ids:
        raise InvalidInput("readings", str(folder), "readings.csv or readings.csv.gz with readings")
    return Watched(tuple(sorted(ids)), len(days))

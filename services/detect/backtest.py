"""Runs the live detectors and the live alert logic over a recorded case, in event-time order, without a database.

`python -m services.detect.backtest CASE... --alerts DIR` writes one JSON line an alert. It refuses to read truth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from services.detect.cases import Cases
from services.detect.core import Core
from services.detect.detector_settings import DetectorSettings
from services.detect.recordings import read_recording
from services.detect.sentences import sentence
from services.domain.alert import Alert, AlertEvent, EventKind, fold
from services.domain.catalogue import Domain
from services.domain.condition import Condition, Rule
from services.domain.instant import SECOND_US, isoformat, to_us

TICK_US: Final = {Domain.WATER: 900 * SECOND_US, Domain.TRAFFIC: 60 * SECOND_US}
"""How often the clock is looked at, in stream time."""

RECORDED_NAMES: Final[Mapping[Rule, str]] = {
    Rule.CONTINUOUS_FLOW: "continuous_flow",
    Rule.BURST: "burst",
    Rule.BACKFLOW: "backflow",
    Rule.SILENT: "missing_data",
    Rule.STUCK: "stuck_meter",
    Rule.NIGHT_FLOW: "night_flow",
    Rule.INTERMITTENT_LEAK: "intermittent_leak",
    Rule.CONGESTION: "congestion",
    Rule.INCIDENT: "incident",
    Rule.SENSOR_FAULT: "detector_malfunction",
    Rule.ZONE_LEAK: "dma_leak",
}
"""Rule -> the word for it in labelled recordings."""


def run_case(
    case: Path,
    settings: DetectorSettings | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The alerts of a case, in the order in which they ended; open ones last, then rises of severity.

    A person is told anew when an alert's severity rises; such a line repeats the alert as it was then, detected then.

    Args:
        case: folder with readings.csv[.gz] and perhaps sensors.json. Kinds and metrics that the catalogue does not
            know raise no alert.
        settings: of the detectors; the defaults otherwise.
        start_us, end_us: only readings observed in [start, end) are taken; microseconds since 1970.

    Yields:
        {sensor_id, kind, rule, started_at, detected_at, ended_at (None while open), severity, score, evidence,
        sentence}; detected_at is the stream time at which the service would have told a person.
    """
    recording = read_recording(case, strict=False)
    core = Core(settings or DetectorSettings(), list(enumerate(recording.sensors)))
    by_id = {sensor.id: sensor for sensor in recording.sensors}
    cases = Cases(sentence, by_id)
    book: dict[Any, Alert] = {}

    escalated: list[tuple[AlertEvent, Alert]] = []

    def told(conditions: list[Condition]) -> Iterator[dict[str, Any]]:
        for event in cases.take(conditions):
            before = book.get(event.alert_id)
            alert = book[event.alert_id] = fold(before, event)
            if event.kind is EventKind.ESCALATED:
                escalated.append((event, alert))
            if event.kind is EventKind.CLEARED and before is not None:
                del book[event.alert_id]
                line = _line(alert, by_id[alert.subject].domain)
                yield line | {"sentence": before.sentence, "ended_sentence": alert.sentence}

    for until, batch in recording.slices(TICK_US):
        if (start_us is not None and until <= start_us) or (end_us is not None and until > end_us):
            continue
        yield from told(core.tick(int(batch.observed_us[0])))
        yield from told(core.step(batch, int(batch.observed_us[-1])))
        yield from told(core.tick(int(batch.observed_us[-1])))
    for alert in book.values():
        yield _line(alert, by_id[alert.subject].domain)
    for event, alert in escalated:
        yield _line(alert, by_id[alert.subject].domain) | {
            "detected_at": isoformat(to_us(event.at))
        }


def _line(alert: Alert, domain: Domain) -> dict[str, Any]:
    kind = RECORDED_NAMES[alert.rule]
    if alert.rule is Rule.STUCK and domain is Domain.TRAFFIC:
        kind = "stuck_detector"
    return {
        "sensor_id": alert.subject,
        "kind": kind,
        "rule": alert.rule.value,
        "started_at": isoformat(to_us(alert.started_at)),
        "detected_at": isoformat(to_us(alert.raised_at)),
        "ended_at": isoformat(to_us(alert.cleared_at)) if alert.cleared_at else None,
        "severity": alert.severity.value,
        "score": alert.score,
        "evidence": dict(alert.evidence),
        "sentence": alert.sentence,
    }


def write_alerts(case: Path, out: Path, settings: DetectorSettings | None = None) -> int:
    """Write a case's alerts as JSON lines in the order of detection and return how many there are."""
    lines = sorted(
        run_case(case, settings), key=lambda line: (line["detected_at"], line["sensor_id"])
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return len(lines)


def main(arguments: list[str] | None = None) -> None:
    """Run the cases of a folder tree: every folder below ROOT that holds readings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("alerts", type=Path, help="folder for <case>.jsonl")
    parser.add_argument("--cases", default="", help="comma-separated beginnings of case names")
    chosen = parser.parse_args(arguments)
    wanted = tuple(name for name in chosen.cases.split(",") if name)
    for path in sorted(chosen.root.rglob("readings.csv.gz")):
        name = path.parent.relative_to(chosen.root).as_posix()
        if not wanted or name.startswith(wanted):
            write_alerts(path.parent, chosen.alerts / f"{name}.jsonl")


if __name__ == "__main__":
    main()

"""The detectors on labelled recordings: they beat the rules that vendors print. Skipped without the recordings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.detect.recorded.backtest import write_alerts
from services.detect.scoring.case_files import read_alerts, score_case
from services.detect.scoring.decision import checks

PRACTICE = Path(__file__).parents[3] / "shared" / "practice"
pytestmark = [
    pytest.mark.recording,
    pytest.mark.skipif(
        not (PRACTICE / "score.py").is_file(), reason="the practice set is not here"
    ),
]

SAME = {
    "events": "events",
    "detected": "found",
    "recall": "recall",
    "precision": "precision",
    "fa_episodes": "false_alarms",
    "fa_benign": "false_alarms_in_benign_windows",
    "fa_per_1000_sensor_days": "false_alarms_per_1000_sensor_days",
    "median_ttd_h": "median_hours_to_detect",
    "mttd_h": "mean_hours_to_detect",
    "alerts": "alerts_judged",
    "duplicates": "alerts_duplicate",
    "ignored": "alerts_ignored",
}
"""The scorer's name of a figure -> that of `citygauge score`."""


def score(case: str, folder: Path) -> dict[str, Any]:
    """The scorer's result for the case, with the detectors as they are."""
    write_alerts(PRACTICE / case, folder / f"{case}.jsonl")
    for alert in read_alerts(folder / f"{case}.jsonl"):
        found = checks(alert.kind, alert.family, alert.evidence)
        assert found, f"the evidence of {alert} proves nothing"
        assert all(check.holds for check in found), f"{found} of {alert}"
    out = folder / "score.json"
    subprocess.run(
        [sys.executable, PRACTICE / "score.py", folder, "--cases", case, "--json", out],
        check=True,
        capture_output=True,
    )
    (result,) = json.loads(out.read_text())
    own = score_case(case, PRACTICE / case, folder / f"{case}.jsonl").whole.document()
    for theirs, ours in SAME.items():
        assert own[ours] == pytest.approx(result[theirs], abs=0.001), (
            f"{ours} as their scorer has it"
        )
    return dict(result)


def test_hourly_meters_beat_the_vendors_rules_in_every_family(tmp_path: Path) -> None:
    result = score("water/ami_hourly", tmp_path)
    assert result["recall"] >= 0.95, "vendor rules: .839"
    assert result["precision"] >= 0.90, "vendor rules: .684"
    assert result["fa_per_1000_sensor_days"] <= 1.0, "vendor rules: 2.8"
    leak = [v for k, v in result["hits"].items() if k in {f"e{i}" for i in range(19)}]
    assert sorted(leak)[len(leak) // 2] <= 20, "hours; vendor rules: 29"


def test_congestion_and_incidents_on_a_simulated_motorway(tmp_path: Path) -> None:
    simulated = score("traffic/sumo_corridor", tmp_path)["by_family"]
    assert simulated["congestion"]["detected"] >= 64
    assert simulated["congestion"]["fa"] <= 1, "the fixed limit alone: 7"
    assert simulated["malfunction"]["detected"] + simulated["missing"]["detected"] == 14, (
        "PeMS rules: 12"
    )
    assert simulated["malfunction"]["fa"] == 0
    assert simulated["incident"]["detected"] >= 13, "California #8: 13"
    assert simulated["incident"]["fa"] <= 1, "in 10 days; California #8: 8 to 26"
    assert simulated["incident"]["mttd_h"] <= 5 / 60, "California #8: 5.2 to 5.7 minutes"

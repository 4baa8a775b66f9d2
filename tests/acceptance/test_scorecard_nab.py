"""The scorecard's NAB section: our scorer is the practice set's own, and the figures stay above the published ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.practice import practice_folder
from benchmarks.scorecard_nab import (
    PROFILES,
    Series,
    best_threshold,
    figures,
    nab_sum,
    read_series,
    score_series,
    write_results,
)
from services.detect.table import Array

PRACTICE = practice_folder()
QUICK = ("realAdExchange/", "artificialNoAnomaly/", "realKnownCause/rogue_agent_key_hold")
needs_practice = pytest.mark.skipif(
    not (PRACTICE / "score_nab.py").is_file(), reason="the practice set is not here"
)


def file_of(n: int, windows: tuple[tuple[int, int], ...]) -> Series:
    return Series("a/b.csv", tuple(str(i) for i in range(n)), np.zeros(n), windows)


def told(n: int, *places: int) -> Array:
    score = np.zeros(n)
    score[list(places)] = 0.9
    return score


def test_early_hits_count_more_late_ones_nothing_twice_and_misses_cost() -> None:
    each, profile = file_of(1000, ((400, 499),)), PROFILES["standard"]
    early = nab_sum(each, told(1000, 400), 0.5, profile)
    late = nab_sum(each, told(1000, 490), 0.5, profile)
    assert early == pytest.approx(1.0, abs=1e-6)
    assert 0 < late < 0.3
    assert nab_sum(each, told(1000, 400, 450, 490), 0.5, profile) == early
    assert nab_sum(each, told(1000), 0.5, profile) == -1.0
    assert nab_sum(each, told(1000, 200), 0.5, profile) == pytest.approx(-1.11)
    assert nab_sum(each, told(1000, 149), 0.5, profile) == -1.0, "the first 15 % do not count"
    after = nab_sum(each, told(1000, 400, 505), 0.5, profile)
    assert 1 - 0.11 < after < 1.0, "soon after a window a false alarm costs little"


def test_the_threshold_is_the_best_one() -> None:
    each, profile = file_of(1000, ((400, 499), (700, 799))), PROFILES["standard"]
    score = told(1000, 410)
    score[[300, 720]] = 0.7, 0.6
    score[800:] = 0.3
    best = best_threshold([each], [score], profile)
    assert best == 0.6
    tried = [nab_sum(each, score, at, profile) for at in (0.3, 0.6, 0.7, 0.9, 1.1)]
    assert max(tried) == tried[1]
    assert figures([each], [score], profile)["ALL"] == pytest.approx(100 * (tried[1] + 2) / 4)


@pytest.mark.recording
@needs_practice
def test_our_scorer_agrees_and_the_quick_files_stay_good(tmp_path: Path) -> None:
    series = [s for s in read_series(PRACTICE / "series" / "nab") if s.name.startswith(QUICK)]
    found = score_series(series)
    write_results(tmp_path, series, found)
    run = subprocess.run(
        [sys.executable, PRACTICE / "score_nab.py", tmp_path, "--only", ",".join(s.name for s in series)],
        check=True, capture_output=True,
    )  # fmt: skip
    theirs = json.loads(run.stdout)
    names = ("standard", "reward_low_FP_rate", "reward_low_FN_rate")
    for ours, name in zip(PROFILES.values(), names, strict=True):
        mine = figures(series, found, ours)
        for key in ("realAdExchange", "realKnownCause", "ALL"):
            assert mine[key] == pytest.approx(theirs[name][key], abs=0.02), (name, key)
    fixed = figures(series, found, PROFILES["standard"], 0.5)
    assert fixed["realAdExchange"] >= 70.0, "CAD OSE: 72.0, HTM: 76.9, each at its best threshold"

"""Hysteresis: one raise, one clear, delays in event time, deadband, re-arm, rising severity."""

from __future__ import annotations

import numpy as np

from services.detect.conditions import Episodes

ROW = np.array([0])


def looks(episodes: Episodes, seen: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    """(time, bad | good | between, severity) -> (time, change, onset)."""
    episodes.table.add(1)
    out: list[tuple[int, str, int]] = []
    for at, look, severity in seen:
        onset = int(episodes.onset_us(ROW)[0])
        changes = episodes.step(
            ROW,
            np.array([at]),
            np.array([look == "bad"]),
            np.array([look == "good"]),
            np.array([at - 3]),
            np.array([severity]),
        )
        out.extend(
            (at, name, int(episodes.onset_us(ROW)[0]) if name == "raised" else onset)
            for name in ("raised", "updated", "cleared")
            if getattr(changes, name).size
        )
    return out


def test_an_episode_is_raised_once_and_cleared_once() -> None:
    seen = [(10, "bad", 1), (20, "bad", 1), (30, "good", 1), (40, "good", 1)]
    assert looks(Episodes(), seen) == [(10, "raised", 7), (30, "cleared", 7)]


def test_between_both_limits_the_state_stays() -> None:
    seen = [(10, "bad", 1), (20, "between", 1), (30, "bad", 1), (40, "between", 1), (50, "good", 1)]
    assert looks(Episodes(), seen) == [(10, "raised", 7), (50, "cleared", 7)]


def test_the_on_delay_starts_anew_when_it_looks_good_in_between() -> None:
    seen = [(0, "bad", 1), (5, "good", 1), (10, "bad", 1), (15, "bad", 1), (20, "bad", 1)]
    assert looks(Episodes(on_delay_us=10), seen) == [(20, "raised", 17)]


def test_the_off_delay_starts_anew_when_it_looks_bad_in_between() -> None:
    seen = [(0, "bad", 1), (5, "good", 1), (10, "bad", 1), (15, "good", 1), (25, "good", 1)]
    assert looks(Episodes(off_delay_us=10), seen) == [(0, "raised", -3), (25, "cleared", -3)]


def test_nothing_is_raised_until_it_is_armed_again() -> None:
    seen = [(0, "bad", 1), (10, "good", 1), (20, "bad", 1), (109, "bad", 1), (110, "bad", 1)]
    assert [c[:2] for c in looks(Episodes(rearm_us=100), seen)] == [
        (0, "raised"),
        (10, "cleared"),
        (110, "raised"),
    ]


def test_severity_rises_within_an_episode_and_never_falls() -> None:
    seen = [(0, "bad", 1), (10, "bad", 2), (20, "bad", 1), (30, "bad", 2), (40, "good", 2)]
    assert [c[:2] for c in looks(Episodes(), seen)] == [
        (0, "raised"),
        (10, "updated"),
        (40, "cleared"),
    ]

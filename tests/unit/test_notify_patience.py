"""How long a route waits between attempts, whom it tells, and that its settings are bounded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notify.delivery import pause_after
from services.notify.settings import NotifySettings

SETTINGS = NotifySettings(first_retry_s=5.0, longest_retry_s=1800.0)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_pause_lies_between_half_and_all_of_the_doubled_one(
    attempts: int, chance: float
) -> None:
    longest = min(5.0 * 2 ** min(attempts - 1, 60), 1800.0)
    pause = pause_after(attempts, SETTINGS, chance)
    assert timedelta(seconds=longest / 2) <= pause <= timedelta(seconds=longest)


def test_pauses_grow_until_the_longest() -> None:
    pauses = [pause_after(n, SETTINGS, 1.0).total_seconds() for n in range(1, 13)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == 1800
    assert pauses == sorted(pauses)


def test_chance_spreads_them() -> None:
    assert pause_after(3, SETTINGS, 0.0) != pause_after(3, SETTINGS, 1.0)


def test_by_default_a_message_is_tried_for_about_a_day() -> None:
    defaults = NotifySettings()
    total = sum(
        (pause_after(n, defaults, 0.5) for n in range(1, defaults.attempts)), start=timedelta()
    )
    assert timedelta(hours=16) < total < timedelta(hours=48)


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"poll_s": 0}, {"first_retry_s": -1}, {"colour": 1}, {"lease_s": 0}]
)
def test_senseless_patience_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotifySettings.model_validate(wrong)

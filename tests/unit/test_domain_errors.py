"""Errors carry their facts as attributes, say them in one sentence, and know whether a retry can help."""

import pytest

from services.domain.errors import (
    CitygaugeError,
    Conflict,
    InvalidInput,
    InvalidTransition,
    SettingError,
    Unavailable,
    UnknownAlert,
    UnknownSensor,
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidInput("lat", 91, "degrees"), "lat: 91 is not valid; degrees"),
        (SettingError("CITYGAUGE_X", "is unknown"), "setting CITYGAUGE_X: is unknown"),
        (UnknownSensor("m-1"), "sensor 'm-1' is not registered"),
        (UnknownAlert("a-1"), "alert 'a-1' does not exist"),
        (
            InvalidTransition("clear", "resolved", ()),
            "an alert that is resolved cannot be changed by 'clear'; allowed: nothing",
        ),
        (
            InvalidTransition("clear", "new", ("shelve", "resolve")),
            "an alert that is new cannot be changed by 'clear'; allowed: shelve, resolve",
        ),
        (Conflict("alert a-1", 3, {}), "alert a-1 was changed by somebody else since version 3"),
        (
            Unavailable("database", "connection refused"),
            "database is not available: connection refused",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_sentence(error: CitygaugeError, sentence: str) -> None:
    assert str(error) == sentence


def test_only_what_may_pass_by_itself_is_worth_a_retry() -> None:
    retriable = {error for error in _tree(CitygaugeError) if error.retriable}
    assert Unavailable in retriable
    assert not retriable & {InvalidInput, SettingError, InvalidTransition, Conflict}


def test_a_value_from_outside_never_floods_the_log() -> None:
    assert len(str(InvalidInput("payload", "x" * 1_000_000, "less"))) < 120
    assert len(str(UnknownSensor("x" * 1_000_000))) < 120


def _tree(error: type[CitygaugeError]) -> set[type[CitygaugeError]]:
    return {error}.union(*(_tree(each) for each in error.__subclasses__()))

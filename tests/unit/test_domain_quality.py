"""The quality flag: stored bits that may never be renumbered, and their words."""

import pytest

from services.domain.quality import Quality

STORED = {"LATE": 1, "IMPLAUSIBLE": 2, "ESTIMATED": 4, "SUSPECT_CLOCK": 8, "REVISED": 16}


def test_the_bits_are_those_that_are_stored() -> None:
    assert {flag.name: flag.value for flag in Quality} == STORED
    assert Quality.GOOD == 0


def test_the_bits_fit_the_column() -> None:
    assert sum(STORED.values()) < 2**15  # smallint


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        (Quality.GOOD, ()),
        (Quality.LATE, ("late",)),
        (Quality.SUSPECT_CLOCK | Quality.IMPLAUSIBLE, ("implausible", "suspect_clock")),
        (Quality(15), ("late", "implausible", "estimated", "suspect_clock")),
        (Quality(16 + 4), ("estimated", "revised")),
        (Quality(32 + 4), ("estimated",)),
    ],
)
def test_words_name_the_facts_that_are_set(quality: Quality, words: tuple[str, ...]) -> None:
    assert quality.words == words

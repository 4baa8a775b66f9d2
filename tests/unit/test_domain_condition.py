"""The detectors' words: rules, severities and their order."""

from services.domain.condition import Change, Rule, Severity


def test_severities_rank_as_people_rank_them() -> None:
    assert [each.rank for each in (Severity.INFO, Severity.WARNING, Severity.CRITICAL)] == [0, 1, 2]
    assert max(Severity, key=lambda each: each.rank) is Severity.CRITICAL


def test_words_are_stored_as_they_are_written() -> None:
    assert all(rule.value == rule.name.lower() for rule in Rule)
    assert {change.value for change in Change} == {"raise", "update", "worsen", "clear"}

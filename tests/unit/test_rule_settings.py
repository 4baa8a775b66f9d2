"""Which setting belongs to which rule: none is forgotten."""

from services.cli.rule_settings import OF_RULE, rules_of
from services.detect.detector_settings import DetectorSettings
from services.domain.condition import Rule


def test_every_setting_of_a_detector_is_told_with_a_rule() -> None:
    told = {setting.name for each in rules_of(DetectorSettings()).values() for setting in each}
    assert told == set(DetectorSettings.model_fields)


def test_every_rule_says_which_settings_it_has() -> None:
    assert set(OF_RULE) == set(Rule)

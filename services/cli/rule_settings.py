"""Which settings of the detectors belong to which rule: told to the API, so that people can read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from services.domain.condition import Rule

if TYPE_CHECKING:
    from services.api.rules import Rules
    from services.detect.detector_settings import DetectorSettings

OF_RULE: Final[Mapping[Rule, tuple[str, ...]]] = MappingProxyType(
    {
        Rule.CONTINUOUS_FLOW: ("continuous_", "trickle_", "critical_", "water_price_", "currency"),
        Rule.BURST: ("burst_", "critical_", "water_price_", "currency"),
        Rule.NIGHT_FLOW: ("night_", "coarse_", "trickle_", "critical_", "water_price_", "currency"),
        Rule.INTERMITTENT_LEAK: ("intermittent_", "trickle_", "water_price_", "currency"),
        Rule.BACKFLOW: ("backflow_",),
        Rule.SILENT: ("silent_",),
        Rule.FEED_SILENT: (),
        Rule.STUCK: ("stuck_",),
        Rule.CONGESTION: ("congestion_", "unusual_"),
        Rule.INCIDENT: (),
        Rule.SENSOR_FAULT: (),
        Rule.ALERT_FLOOD: (),
        Rule.REGISTER: (),
        Rule.ZONE_LEAK: ("zone_", "balance_", "water_price_", "currency"),
    }
)
"""Beginnings of the settings' names; a rule without any decides by what it learned and by published constants."""


def rules_of(settings: DetectorSettings) -> Rules:
    """The settings by rule, with their defaults and what they decide."""
    from services.api.rules import RuleSetting

    fields = type(settings).model_fields
    return {
        rule: tuple(
            RuleSetting(name, getattr(settings, name), field.default, field.description or "")
            for name, field in fields.items()
            if name.startswith(beginnings)
        )
        for rule, beginnings in OF_RULE.items()
        if beginnings
    }

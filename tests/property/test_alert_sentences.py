"""Whatever a detector says can be said in each language, and the English one is the sentence that is stored."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detect.words.late_words import late_words
from services.detect.words.sentences import say, sentence
from services.domain import flood
from services.domain.alert import event_of_condition
from services.domain.alert_fold import fold, fold_all
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Change, Condition, Rule, Severity
from services.domain.flood import FloodLimit, Tally
from services.domain.instant import from_us
from services.domain.sensor import Sensor
from services.domain.sentences.language import (
    ENGLISH,
    LANGUAGES,
    in_english,
    in_language,
    language_of,
)
from services.domain.sentences.said import Said
from tests.said_samples import ONSET, samples

SAMPLES = list(samples())


def keys_in(value: Any) -> Iterator[str]:
    """Every template that something said takes."""
    if isinstance(value, Mapping):
        if isinstance(value.get("key"), str):
            yield value["key"]
        for each in value.values():
            yield from keys_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from keys_in(each)


def told(condition: Condition, sensor: Sensor) -> Said:
    """What is said of it, with what late data add."""
    late = late_words(condition)
    return say(condition, sensor) if late is None else say(condition, sensor).and_also(late)


def stored(value: object) -> Any:
    return json.loads(json.dumps(value))


def floods() -> list[dict[str, Any]]:
    """What a flood says: as it begins, and at its end."""
    tally = Tally(11, 0, Counter({rule.value: 2 for rule in Rule}), Counter({"North": 9, "elsewhere": 5}))  # fmt: skip
    began, limit = from_us(ONSET), FloodLimit()
    raised = flood.raised(
        uuid4(), what="water", tally=tally, severity=Severity.WARNING, began=began,
        at=began + timedelta(minutes=61), limit=limit,
    )  # fmt: skip
    over = flood.over(fold(None, raised), "traffic", 3, began + timedelta(hours=30), limit)
    small = Tally(1, 0, Counter({"burst": 1}), Counter({"North": 1}))
    alone = small.say("gas", began, began).as_dict()
    return [dict(raised.data), dict(over.data), {"said": stored(alone)}]


def test_every_template_is_said_by_something() -> None:
    said = {key for c, s in SAMPLES for key in keys_in(told(c, s).as_dict())}
    said |= {key for data in floods() for key in keys_in(data["said"])}
    called = {key for key in LANGUAGES[ENGLISH].sentences if key not in said}
    kinds = {f"kind.{kind.value}" for kind in SensorKind}
    rules = {f"rule.{rule.value}" for rule in Rule}
    assert kinds | rules <= LANGUAGES[ENGLISH].sentences.keys()
    assert {f"domain.{domain.value}" for domain in Domain} <= LANGUAGES[ENGLISH].sentences.keys()
    elsewhere = (
        "message.",
        "severity.",
        "verdict.",
        "place.",
        "held.",
        "detail.",
        "problem.",
        "part.",
        "remedy.",
    )
    named = {key for key in called if key.startswith(elsewhere)}
    assert called <= kinds | rules | named | {"first"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_each_detector_says_is_said_in_each_language(language: str) -> None:
    for condition, sensor in SAMPLES:
        plain = stored(told(condition, sensor).as_dict())
        said = in_language(plain, language)
        assert said is not None, (condition.rule, condition.change)
        assert not re.search(r"[{}^]|None|nan|  | [.,;:]", said), said
        assert said.endswith(".")
        if language == ENGLISH:
            assert said == in_english(told(condition, sensor))
        else:
            left = {word.rstrip(".,;:") for word in said.split()} & {
                "the",
                "of",
                "at",
                "is",
                "First",
            }
            assert not left, said
    for data in floods():
        assert in_language(data["said"], language)


@given(
    kind=st.sampled_from(SensorKind),
    name=st.none() | st.sampled_from(["{since}", "M^", "مدرسة", "<b>Ñandú</b>", "x" * 200]),
    road=st.none() | st.just("{where}"),
    value=st.floats(-1e12, 1e12),
    sample=st.sampled_from(SAMPLES),
    change=st.sampled_from(Change),
)
def test_names_and_numbers_of_any_kind_are_said(
    kind: SensorKind, name: str | None, road: str | None, value: float, sample: Any, change: Change
) -> None:
    condition = replace(sample[0], change=change, evidence=replace(sample[0].evidence, value=value))
    sensor = Sensor("S-1", kind, name=name, road=road, time_zone="Asia/Kathmandu")
    words = say(condition, sensor)
    for language in LANGUAGES:
        said = in_language(stored(words.as_dict()), language)
        assert said is not None
        if name is not None and condition.rule is not Rule.FEED_SILENT:
            assert name in said


def test_an_alert_keeps_what_it_says_through_its_log() -> None:
    condition, sensor = SAMPLES[0]
    raised = event_of_condition(condition, say(condition, sensor), None)
    assert raised is not None
    alert = fold(None, raised)
    assert alert.sentence == in_language(alert.said, ENGLISH) == sentence(condition, sensor)
    ended = replace(condition, change=Change.CLEAR)
    cleared = event_of_condition(ended, say(ended, sensor), alert)
    assert cleared is not None
    alert = fold(alert, cleared)
    assert "el agua vuelve a hacer pausas" in str(in_language(alert.said, "es"))
    plain = event_of_condition(condition, "Water runs.", None)
    assert plain is not None
    old = fold_all([plain])
    assert old is not None
    assert old.said is None
    assert in_language(old.said, "es") is None


@pytest.mark.parametrize(
    "damaged",
    [None, "words", {}, {"time_zone": "UTC"}, {"time_zone": "Nowhere/X", "what": []},
     {"time_zone": "UTC", "what": [{"key": "gone", "values": {}}]},
     {"time_zone": "UTC", "what": [{"key": "over", "values": {}}]},
     {"time_zone": "UTC", "what": [{"key": "over.lost", "values": {"lost": {"value": "x", "unit": "L"}}}]}],
)  # fmt: skip
def test_what_other_templates_made_is_left_to_the_english_sentence(damaged: object) -> None:
    assert in_language(damaged, "es") is None


def test_a_language_is_found_by_its_tag() -> None:
    assert [language_of(tag) for tag in ("es", "es-MX", "EN-gb", "fr")] == ["es", "es", "en", None]


def test_spanish_as_it_is_read() -> None:
    [backward] = [
        say(c, s) for c, s in SAMPLES if (c.rule, c.change) == (Rule.BACKFLOW, Change.RAISE)
    ]
    assert in_language(backward.as_dict(), "es") == (
        "El agua corre al revés por el contador Elm Street 4 (M-17) de la zona North desde el lunes 13 de julio a las "
        "22:05: la lectura ha retrocedido 36 L (límite: 3 L). Primero: compruebe la presión en la calle y la válvula "
        "antirretorno; hasta descartarlo, dé por no potable el agua de ese punto."
    )

"""What is wrong with a rejected message can be said in each language, from the English sentence that was kept."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.catalogue import Domain
from services.domain.instant import TIME_RULE
from services.domain.rejection import WHAT_TO_DO, RejectReason
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.rejected import detail, part, said_of
from services.domain.suppression import SuppressionKind

PLACE = re.compile(r"\{(\w+)\}")
TEMPLATES = LANGUAGES[ENGLISH].sentences
DETAILS = sorted(key for key in TEMPLATES if key.startswith("detail."))
OTHERS = sorted(set(LANGUAGES) - {ENGLISH})
OUTSIDE = {RejectReason.DECODER_ERROR, RejectReason.REFUSED_BY_DATABASE}
"""Here a template holds what the fault or the database said; earlier versions kept that alone."""


@given(key=st.sampled_from(DETAILS), data=st.data())
def test_whatever_fills_a_template_the_sentence_is_found_again(
    key: str, data: st.DataObject
) -> None:
    _, reason, which = key.split(".")
    values = {name: data.draw(st.text(), label=name) for name in PLACE.findall(TEMPLATES[key])}
    text = detail(RejectReason(reason), which, **values)
    said = said_of(RejectReason(reason), text)
    assert said is not None
    english = LANGUAGES[ENGLISH].say(said.as_dict())
    assert english == (text, WHAT_TO_DO[RejectReason(reason)])
    for language in OTHERS:
        what, first = LANGUAGES[language].say(said.as_dict())
        assert what
        assert first


def test_every_reason_has_words_for_what_is_wrong_and_what_to_do() -> None:
    reasons = {RejectReason(key.split(".")[1]) for key in DETAILS}
    assert reasons == set(RejectReason)
    assert set(WHAT_TO_DO) == set(RejectReason)


def test_what_a_device_sent_is_not_translated_and_our_own_words_are() -> None:
    spanish = LANGUAGES["es"]
    reason = RejectReason.WRONG_DOMAIN
    said = said_of(reason, detail(reason, "sensor", sensor="water", domain=Domain.WATER))
    assert said is not None
    assert spanish.say(said.as_dict())[0].endswith(
        "sensor water no está registrado como sensor de agua"
    )
    assert part("time_rule") == TIME_RULE


@pytest.mark.parametrize("reason", sorted(OUTSIDE))
def test_what_an_earlier_version_kept_of_a_fault_stays_as_it_is(reason: RejectReason) -> None:
    assert said_of(reason, "ValueError: something is 7") is None


def test_each_kind_of_hold_has_words() -> None:
    for kind in SuppressionKind:
        assert f"held.{kind.value}" in TEMPLATES

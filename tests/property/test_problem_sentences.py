"""What did not work is said in English from a template, and found again in it, whatever fills it."""

from __future__ import annotations

import http.client
import re
import smtplib
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from services.domain.errors import Unavailable
from services.domain.sentences.bounds import bound_of
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.problem import problem, said_of
from services.notify.channels.faults import why
from services.store.lost_jobs import PROBLEM

TEMPLATES = LANGUAGES[ENGLISH].sentences
PROBLEMS = sorted(key for key in TEMPLATES if key.startswith("problem."))
CERTIFICATE = ssl.SSLCertVerificationError(1, "bad")
PLACE = re.compile(r"\{(\w+)\}")


def in_spanish(text: str) -> str:
    said = said_of(text)
    assert said is not None, text
    return LANGUAGES["es"].sentence(said)


@given(key=st.sampled_from(PROBLEMS), data=st.data())
def test_whatever_fills_a_template_the_sentence_is_found_again(
    key: str, data: st.DataObject
) -> None:
    values = {name: data.draw(st.text(), label=name) for name in PLACE.findall(TEMPLATES[key])}
    text = problem(key.removeprefix("problem."), **values)
    told = str(Unavailable("webhook hook-1", text))
    for each in (text, told):
        said = said_of(each)
        assert said is not None
        assert LANGUAGES[ENGLISH].sentence(said) == text
        assert in_spanish(each)


def test_what_no_template_made_is_not_translated() -> None:
    assert said_of(None) is None
    assert said_of("TimeoutError: the read operation timed out") is None
    assert in_spanish(PROBLEM).startswith("El servicio se detuvo tres veces")


@pytest.mark.parametrize(
    ("fault", "english"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "nobody answers at its address"),
        (OSError(113, "No route to host"), "nobody answers at its address"),
        (socket.gaierror(-2, "unknown"), "the name in its address is not known"),
        (TimeoutError("timed out"), "it did not answer in time"),
        (ConnectionResetError(104, "reset"), "it broke the connection off"),
        (http.client.RemoteDisconnected("gone"), "it broke the connection off"),
        (smtplib.SMTPServerDisconnected("gone"), "it broke the connection off"),
        (CERTIFICATE, "its certificate is not trusted: "),
        (
            smtplib.SMTPAuthenticationError(535, b"no"),
            "it refused the user or the password: 535 no",
        ),
        (smtplib.SMTPSenderRefused(550, b"no", "a@b.c"), "it answered 550 no"),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"no")}), "it refused every address: "),
        (ValueError("odd"), "something unexpected went wrong: ValueError: odd"),
    ],
)
def test_faults_of_a_connection_are_told_in_words(fault: Exception, english: str) -> None:
    assert why(fault).startswith(english)
    assert in_spanish(why(fault))


class Bounded(BaseModel):
    low: float = Field(0.0, ge=0.5)
    high: float = Field(0.0, lt=7)
    name: str = Field("", max_length=3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"low": 0.1}, "0.5 como mínimo"),
        ({"high": 8}, "menos de 7"),
        ({"name": "abcd"}, "3 letras como máximo"),
        ({"low": "x"}, "un número"),
    ],
)
def test_bounds_are_told_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Bounded.model_validate(values)
    found = bound_of(refused.value.errors()[0])
    assert found is not None
    assert in_spanish(found) == words

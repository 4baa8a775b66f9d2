"""What is told is in the route's language, or in English as a whole: never half of each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from services.detect.words.sentences import say, sentence
from services.domain.alert import Alert, AlertEvent, EventKind, event_of_condition
from services.domain.alert_fold import fold
from services.notify.cap_document import NAMESPACE, cap_message
from services.notify.digest import DigestMessage
from services.notify.message import Message, message_of
from services.notify.settings import CapRoute, NotifySettings, WebhookRoute
from services.notify.trial import send_test
from services.store.telling.cap_messages import CapKind
from tests.said_samples import samples

CONDITION, SENSOR = next(samples())
AT = datetime(2026, 7, 15, tzinfo=UTC)


def raised(*, translated: bool = True) -> tuple[AlertEvent, Alert]:
    words = say(CONDITION, SENSOR) if translated else sentence(CONDITION, SENSOR)
    event = event_of_condition(CONDITION, words, None)
    assert event is not None
    event = replace(event, data=json.loads(json.dumps(event.data)))
    return event, fold(None, event)


def told(language: str, *, translated: bool = True) -> Message:
    return message_of(*raised(translated=translated)).in_language(language)


def test_the_words_are_the_routes() -> None:
    message = told("es-MX")
    assert message.title.startswith("[advertencia] Nueva: El agua corre sin pausa en el contador")
    assert "Primero: llame al abonado" in message.text
    assert "Qué pasó: Nueva, " in message.text
    assert message.as_dict()["alert"]["language"] == "es"  # type: ignore[index]
    assert told("en").title.startswith("[warning] New: Water has been running")


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("language", ["en", "es"])
def test_what_people_do_is_told_in_it_too(kind: EventKind, language: str) -> None:
    event, alert = raised()
    later = AlertEvent(event.id, alert.id, kind, AT, "ada", {"comment": "Voy."})
    message = message_of(later, alert).in_language(language)
    assert ("El agua corre" in message.text) is (language == "es")
    assert message.what
    assert "{" not in message.title + message.text


def test_an_alert_that_has_english_alone_is_told_in_english_as_a_whole() -> None:
    message = told("es", translated=False)
    assert message.title.startswith("[warning] New: Water has been running")
    assert "What happened: New" in message.text


@pytest.mark.parametrize("translated", [True, False])
def test_cap_says_in_which_language_it_speaks(translated: bool) -> None:
    route = CapRoute(channel="cap", name="cap", sender="gauge@example.org", language="es-ES")
    made = cap_message(told("es-ES", translated=translated), route, CapKind.ALERT, [], AT)
    info = ElementTree.fromstring(made.document).find(f"{{{NAMESPACE}}}info")
    assert info is not None
    assert info.findtext(f"{{{NAMESPACE}}}language") == ("es-ES" if translated else "en")
    described = info.findtext(f"{{{NAMESPACE}}}description") or ""
    assert described.startswith("El agua corre" if translated else "Water has been")


def test_a_digest_and_a_test_of_a_route_speak_it() -> None:
    message = told("es")
    digest = DigestMessage(message.event_id, [message, message], AT, "es")
    assert digest.title == "[advertencia] 2 mensajes: 2 advertencia"
    assert digest.text.startswith("Lo que se retuvo desde el último resumen:")
    routes = [{"channel": "log", "name": "libro", "language": "es"}]
    trial, _ = send_test(NotifySettings.model_validate({"routes": routes}), "libro", AT)
    assert "Esto es una prueba de la ruta. No ha pasado nada." in trial.text


@pytest.mark.parametrize("tag", ["fr", "español", "es;", ""])
def test_a_language_that_nobody_has_is_refused(tag: str) -> None:
    with pytest.raises(ValidationError, match="no language that Citygauge speaks: en, es"):
        WebhookRoute(channel="webhook", name="hook", url="http://127.0.0.1/x", language=tag)

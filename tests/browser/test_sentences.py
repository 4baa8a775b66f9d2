"""What alerts say, in the reader's language and units; the console fills the templates as the service does."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from services.detect.words.sentences import say as words
from services.domain.condition import Change, Condition, Rule
from services.domain.sensor import Sensor
from services.domain.sentences.language import LANGUAGES, in_language
from services.domain.sentences.said import Phrase, Said, amount, phrase
from tests.api_server import METER, register, say
from tests.browser.conftest import Console
from tests.said_samples import samples

pytestmark = pytest.mark.browser

FILL = """async (all) => {
  const { whole } = await import('/assets/said.js');
  return all.map((said) => whole({ said }));
}"""


def prefer(console: Console, **kept: str) -> None:
    kept_ = json.dumps(json.dumps(kept))
    console.page.add_init_script(f"localStorage.setItem('citygauge preferences', {kept_})")


def edges() -> list[dict[str, object]]:
    """Numbers at the edges of how they are written."""
    values = (
        0.0, 0.05, 0.5, 1.5, 2.5, 9.95, 9.949, 59.4, 59.5, 999.5, 1000, 9999.5, 10_000, 1_234_567.89, -0.04, -12.5,
        7170, 7169.9, 257_399, 257_400,
    )  # fmt: skip
    units = ("L", "L/h", "km", "km/h", "kPa", "%", "1", "s", "EUR")
    said: list[Phrase] = [
        phrase("lost.so_far", lost=amount(value, unit, 2 if unit == "EUR" else None))
        for unit in units
        for value in values
        if unit != "s" or value >= 0
    ]
    return [Said((each,), None, "UTC").as_dict() for each in said]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_console_fills_the_templates_as_the_service_does(
    console: Console, language: str
) -> None:
    prefer(console, language=language)
    console.open()
    all_ = [words(condition, sensor).as_dict() for condition, sensor in samples()] + edges()
    filled = console.page.evaluate(FILL, json.loads(json.dumps(all_)))
    assert filled == [in_language(each, language) for each in all_]


def test_an_alert_speaks_the_readers_language_and_units(console: Console) -> None:
    register(console.api.database_url, [METER])
    condition, sensor = next(
        (c, s) for c, s in samples() if (c.rule, c.change) == (Rule.BURST, Change.RAISE)
    )
    alert = say(console.api.database_url, sentence=words(condition, sensor))
    prefer(console, language="es", water="gallons")
    page = console.open(f"/#/alert/{alert.id}")
    lead = page.locator("#view .lead")
    expect(lead).to_contain_text("Corre mucha más agua de lo normal en el contador Elm Street 4")
    expect(lead).to_contain_text(
        "3277 gal/h durante 26 horas, cuando lo máximo esperable son 191 gal/h"
    )
    expect(lead).to_have_attribute("lang", "es")
    expect(page.locator("#view .first")).to_contain_text("Llame ya al abonado")
    expect(page.locator("#view")).not_to_contain_text("en inglés")
    expect(page.locator("#view ol.log")).to_contain_text("Primero: llame ya al abonado")
    expect(page.locator("#cards .card-sentence")).to_contain_text("Corre mucha más agua")
    say(console.api.database_url, change=Change.CLEAR, onset=alert.started_at, at=alert.raised_at,
        sentence=words(*_ended()))  # fmt: skip
    expect(lead).to_contain_text("Terminó el miércoles 15 de julio")


def _ended() -> tuple[Condition, Sensor]:
    return next((c, s) for c, s in samples() if (c.rule, c.change) == (Rule.BURST, Change.CLEAR))


def test_an_alert_from_before_is_said_in_english_and_says_so(console: Console) -> None:
    alert = say(console.api.database_url)
    prefer(console, language="es")
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view .lead")).to_contain_text("Flow at 14 Mill Street jumped")
    expect(page.locator("#view .lead")).to_have_attribute("lang", "en")
    expect(page.locator("#view")).to_contain_text("Esta frase solo existe en inglés")

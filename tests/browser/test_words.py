"""The console's words: every language says everything, and every word that the pages ask for exists."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from services.detect.detector_settings import DetectorSettings
from services.domain.alert import EventKind, Verdict, Work
from services.domain.catalogue import CATALOGUE, Domain, SensorKind
from services.domain.condition import Rule, Severity
from services.domain.rejection import RejectReason
from tests.api_server import say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser

WEB = Path(__file__).parents[2] / "services" / "api" / "web"
LANGUAGES = sorted(path.stem for path in (WEB / "words").glob("*.js"))
TABLES = {
    "rules": {rule.value for rule in Rule},
    "severities": {severity.value for severity in Severity},
    "kinds": {kind.value for kind in SensorKind},
    "verdicts": {verdict.value for verdict in Verdict},
    "works": {work.value for work in Work},
    "events": {kind.value for kind in EventKind},
    "domains": {domain.value for domain in Domain},
    "metrics": {metric.column for table in CATALOGUE.values() for metric in table.metrics},
    "units": {metric.unit for table in CATALOGUE.values() for metric in table.metrics},
    "reasons": {reason.value for reason in RejectReason},
    "limits": set(DetectorSettings.model_fields),
}
SAID = re.compile(r'\bt\(\s*"([\w.]+)"')
CHOSEN = re.compile(r'\? "([a-z_]+\.[a-z_]+)" : "([a-z_]+\.[a-z_]+)"')
DRESSED = re.compile(r'data-t(?:-aria-label|-placeholder)?="([\w.]+)"')
PREFIXED = re.compile(r"\bt\(`([\w.]+)\$\{")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def catalogues(page: Page) -> dict[str, dict[str, str]]:
    """Each language's words by dotted key; the forms of a plural are joined."""
    return page.evaluate(
        """async (languages) => {
          const flat = (place, path) => Object.entries(place).flatMap(([key, value]) => {
            const here = path ? `${path}.${key}` : key;
            if (typeof value === 'string') return [[here, value]];
            return 'other' in value && Object.values(value).every((form) => typeof form === 'string') && 'one' in value
              ? [[here, Object.values(value).join(' ')]] : flat(value, here);
          });
          const all = await Promise.all(languages.map((name) => import(`/assets/words/${name}.js`)));
          return Object.fromEntries(all.map((each, i) => [languages[i], Object.fromEntries(flat(each.default, ''))]));
        }""",
        LANGUAGES,
    )


def test_every_language_says_everything_and_every_word_that_is_asked_for_exists(
    visitor: Console,
) -> None:
    visitor.page.goto(visitor.api.url + "/login")
    words = catalogues(visitor.page)
    english = words["en"]
    assert set(LANGUAGES) >= {"en", "es"}
    for language, said in words.items():
        assert said.keys() == english.keys(), language
        for key, text in said.items():
            wanted = set(PLACEHOLDER.findall(english[key]))
            assert set(PLACEHOLDER.findall(text)) == wanted, (language, key)
            assert text or key == "alert.english", (language, key)
    sources = [path.read_text() for path in WEB.glob("*.*") if path.suffix in {".js", ".html"}]
    asked = {key for text in sources for key in SAID.findall(text) + DRESSED.findall(text)}
    asked |= {key for text in sources for pair in CHOSEN.findall(text) for key in pair}
    assert asked <= english.keys(), asked - english.keys()
    for prefix in {prefix for text in sources for prefix in PREFIXED.findall(text)}:
        assert any(key.startswith(prefix) for key in english), prefix
    for table, names in TABLES.items():
        have = {key.removeprefix(table + ".") for key in english if key.startswith(table + ".")}
        assert names <= have, (table, names - have)


def test_language_units_and_times_are_the_readers_choice(console: Console) -> None:
    alert = say(console.api.database_url)
    page = console.open(f"/#/alert/{alert.id}")
    expect(page.locator(".facts")).to_contain_text("1,840 litres per hour")
    page.get_by_role("button", name="Language and units").click()
    page.get_by_label("Language", exact=True).select_option(label="Español")
    page.get_by_label("Water").select_option(label="Cubic metres")
    page.get_by_role("button", name="Use these").click()
    expect(page.locator("html[data-ready]")).to_have_attribute("lang", "es")
    expect(page.locator("#view h2")).to_have_text("Caudal alto repentino: posible rotura")
    expect(page.locator(".facts")).to_contain_text("1,84 m³ por hora")
    expect(page.locator("#view")).to_contain_text("en inglés")
    expect(page.locator("#view .lead")).to_have_attribute("lang", "en")


def test_the_browsers_language_is_taken_first(console: Console) -> None:
    page = console.page
    page.add_init_script(
        "Object.defineProperty(navigator, 'languages', {get: () => ['es-MX', 'en']})"
    )
    console.open()
    expect(page.get_by_role("link", name="Sensores")).to_be_visible()
    expect(page.get_by_text("Todo en calma")).to_be_visible()


def test_keys_lead_everywhere_unless_they_are_switched_off(console: Console) -> None:
    page = console.open()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to Sensors")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.type("gs")
    expect(page.locator("#page h1")).to_have_text("Sensors")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Find a sensor")).to_be_focused()
    page.evaluate("localStorage.setItem('citygauge preferences', JSON.stringify({keys: 'off'}))")
    console.reload()
    expect(page.locator("#page h1")).to_have_text("Sensors")
    page.keyboard.press("?")
    page.keyboard.press("Tab")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_first_start_leads_to_the_first_reading(console: Console) -> None:
    page = console.open()
    expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()
    expect(page.locator(".start li")).to_have_count(3)
    expect(page.locator(".start")).to_contain_text("citygauge simulate city")
    expect(page.locator(".start")).to_contain_text("citygauge/v1/water/M-17/reading")

"""Nothing of our own words stays English for a Spanish reader: limits, rejections, what holds an alert back."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect

from services.domain.condition import Rule
from services.domain.rejection import Rejection, RejectReason
from services.domain.sentences.language import ENGLISH, LANGUAGES
from services.domain.sentences.rejected import detail
from services.store import rejected
from services.store.connection import connect, transaction
from tests.api_server import METER, new_key, register, say
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser

ENGLISH_WORDS = re.compile(r"\b(the|of|and|is|are|below|with|without|not|at least|hours)\b")
KEYS = re.compile(r"\b(?!citygauge)[a-z]{3,}\.[a-z_]+\b")
TEMPLATES = LANGUAGES[ENGLISH].sentences
PLACE = re.compile(r"\{(\w+)\}")


@pytest.fixture
def spanish(console: Console) -> Console:
    """A tab of somebody who reads Spanish."""
    kept = json.dumps(json.dumps({"language": "es"}))
    console.page.add_init_script(f"localStorage.setItem('citygauge preferences', {kept})")
    return console


def read(place: Locator) -> str:
    """All that can be read there, without names of settings and topics."""
    expect(place).not_to_be_empty()
    text: str = place.evaluate(
        """(place) => {
          const copy = place.cloneNode(true);
          for (const code of copy.querySelectorAll('code, pre')) code.remove();
          return copy.textContent;
        }"""
    )
    return text


def plain(text: str) -> None:
    """No English word, no key of a catalogue."""
    assert not ENGLISH_WORDS.findall(text), text
    assert not KEYS.findall(text), text


def test_limits_of_the_rules_are_told_in_spanish(spanish: Console) -> None:
    page = spanish.open("/#/rules")
    expect(page.locator("#page .panel table tr").first).to_be_attached()
    plain(read(page.locator("#page")))
    assert page.locator("#page [lang=en]").count() == 0
    for rule in (Rule.CONTINUOUS_FLOW, Rule.ZONE_LEAK):
        spanish.open(f"/#/rule/{rule}")
        expect(page.locator(".limit").first).to_be_visible()
        plain(read(page.locator("#page")))
        assert page.locator("#page [lang=en]").count() == 0


def test_what_was_wrong_with_a_message_is_told_in_spanish(spanish: Console) -> None:
    bad = []
    for key in (key for key in TEMPLATES if key.startswith("detail.")):
        _, reason, which = key.split(".")
        values = dict.fromkeys(PLACE.findall(TEMPLATES[key]), "7")
        says = detail(RejectReason(reason), which, **values)
        bad.append(Rejection(RejectReason(reason), says, "t", b"{}", METER.id))
    with connect(spanish.api.database_url, "test", autocommit=True) as conn, transaction(conn):
        rejected.add(conn, bad, datetime.now(UTC))
    page = spanish.open("/#/quality?tab=rejected")
    expect(page.locator("tbody tr")).to_have_count(len(bad))
    plain(read(page.locator("#page")))
    assert page.locator("#page [lang=en]").count() == 0
    page.locator("tbody a").last.click()
    expect(page.locator("#page .lead")).to_have_attribute("lang", "es")
    plain(read(page.locator("#page .panel").first))


def test_why_an_alert_is_held_back_is_told_in_spanish(spanish: Console) -> None:
    api = spanish.api
    register(api.database_url, [METER])
    alert = say(api.database_url)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with api.client(new_key(api.database_url, "operate", name="Colega")) as client:
        body = {"subjects": [METER.id], "ends_at": later, "reason": "Lavado de hidrantes"}
        assert client.post("/v1/exemptions", json=body).status_code == 201
    page = spanish.open(f"/#/alert/{alert.id}")
    expect(page.locator("#view .facts")).to_contain_text("Exento: Lavado de hidrantes")
    expect(page.locator("#view ol.log")).to_contain_text("Exento: Lavado de hidrantes")

"""Languages' files: complete, with the same values in every text; and every word that the pages ask for is there."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.api.pages import find
from services.cli.commands import application
from services.detect.detector_settings import DetectorSettings
from services.domain.alert import EventKind, Verdict, Work
from services.domain.catalogue import CATALOGUE as DOMAINS
from services.domain.catalogue import Domain, SensorKind
from services.domain.condition import Rule, Severity
from services.domain.rejection import RejectReason
from services.domain.sentences import plurals
from services.domain.sentences.catalogue_file import completed, findings, is_counted
from services.domain.sentences.language import (
    CATALOGUE,
    ENGLISH,
    FOLDER,
    LANGUAGES,
    language_of,
    read_language,
    speak_also,
)

WEB = Path(__file__).parents[2] / "services" / "api" / "web"
TABLES = {
    "rules": {rule.value for rule in Rule},
    "severities": {severity.value for severity in Severity},
    "kinds": {kind.value for kind in SensorKind},
    "verdicts": {verdict.value for verdict in Verdict},
    "works": {work.value for work in Work},
    "events": {kind.value for kind in EventKind},
    "domains": {domain.value for domain in Domain},
    "metrics": {metric.column for table in DOMAINS.values() for metric in table.metrics},
    "units": {metric.unit for table in DOMAINS.values() for metric in table.metrics},
    "reasons": {reason.value for reason in RejectReason},
    "limits": set(DetectorSettings.model_fields),
}
SAID = re.compile(r'\bt\(\s*"([\w.]+)"')
CHOSEN = re.compile(r'\? "([a-z_]+\.[a-z_]+)" : "([a-z_]+\.[a-z_]+)"')
DRESSED = re.compile(r'data-t(?:-aria-label|-placeholder)?="([\w.]+)"')
PREFIXED = re.compile(r"\bt\(`([\w.]+)\$\{")


def keys_of(words: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Dotted keys of all texts; a plural is one."""
    for name, text in words.items():
        if isinstance(text, str) or is_counted(text):
            yield path + name
        else:
            yield from keys_of(text, f"{path}{name}.")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_language_that_comes_with_citygauge_is_complete(path: Path) -> None:
    assert list(findings(read_language(path), CATALOGUE)) == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_key_stands_once(path: Path) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)

    json.loads(path.read_text(), object_pairs_hook=once)


def test_every_word_that_the_pages_ask_for_is_there() -> None:
    english = set(keys_of(LANGUAGES[ENGLISH].console))
    sources = [path.read_text() for path in WEB.glob("*.*") if path.suffix in {".js", ".html"}]
    asked = {key for text in sources for key in SAID.findall(text) + DRESSED.findall(text)}
    asked |= {key for text in sources for pair in CHOSEN.findall(text) for key in pair}
    assert asked <= english, asked - english
    for prefix in {prefix for text in sources for prefix in PREFIXED.findall(text)}:
        assert any(key.startswith(prefix) for key in english), prefix
    for table, names in TABLES.items():
        have = {key.removeprefix(table + ".") for key in english if key.startswith(table + ".")}
        assert names <= have, (table, names - have)


WRONG = {
    "name": "Nederlands",
    "decimal": 7,
    "plurals": {"one": "n = 1"},
    "weekdays": ["ma"],
    "time": "{weekday} {hour}",
    "spans": {"second": {"other": "{n} s"}, "minute": "{n} min"},
    "sentences": {
        "over.lost": "Verloren.",
        "gone": "x",
        "over.delay": "Ongeveer {hours} {minutes}.",
    },
    "console": {"nav": {"now": ""}, "rules": "regels"},
}


def test_a_check_names_what_is_missing_unknown_and_wrong() -> None:
    found = set(findings(WRONG, CATALOGUE))
    assert {
        "decimal: this is text, as in English",
        "weekdays: this is a list of 7 words",
        "time: {hour} is not filled in",
        "spans.second: the form one is missing",
        "spans.minute: these are forms of a plural, {one, other}",
        "spans.hour: missing, so English is said: {'one': '{n} hour', 'other': '{n} hours'}",
        "sentences.over.lost: {lost} is missing",
        "sentences.over.delay: {minutes} is not filled in",
        "sentences.gone: nothing says this",
        "console.nav.now: it is empty",
        "console.nav.map: missing, so English is said: 'Map'",
        "console.rules: these are words under names, as in English",
    } <= found
    assert list(findings({**CATALOGUE, "plurals": {"one": "n is 1"}}, CATALOGUE)) == [
        "'n is 1' is no condition such as n % 10 = 2..4"
    ]


def test_what_a_file_lacks_or_has_wrong_is_english() -> None:
    whole = completed(WRONG, CATALOGUE)
    assert whole["name"] == "Nederlands"
    assert whole["decimal"] == "."
    assert whole["weekdays"] == CATALOGUE["weekdays"]
    assert whole["console"]["rules"] == CATALOGUE["console"]["rules"]
    assert whole["console"]["nav"] == {**CATALOGUE["console"]["nav"], "now": ""}
    assert whole["sentences"].keys() == {"over.lost", "over.delay"}, "no sentence is half English"


def test_rules_of_plurals_are_those_of_cldr() -> None:
    polish = {
        "one": "n = 1",
        "few": "n % 10 = 2..4 and n % 100 != 12..14",
        "many": "n != 1 and n % 10 = 0..1 or n % 10 = 5..9 or n % 100 = 12..14",
    }
    counts = (0, 1, 2, 5, 11, 12, 21, 22, 25, 112, 122)
    assert [plurals.form(polish, n) for n in counts] == [
        "many", "one", "few", "many", "many", "many", "many", "few", "many", "many", "few",
    ]  # fmt: skip
    assert plurals.form({}, 1) == "other"


def test_a_file_in_a_folder_is_a_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pt-BR.json").write_text('{"name": "Português", "sentences": {}}')
    languages = dict(LANGUAGES)
    monkeypatch.setattr("services.domain.sentences.language.LANGUAGES", languages)
    speak_also(tmp_path)
    assert languages["pt-br"].name == "Português"
    assert language_of("pt-BR") == "pt-br"
    assert language_of("pt") is None
    assert languages["pt-br"].words("message.raised") == "New"


def test_the_command_lists_and_checks_languages(tmp_path: Path) -> None:
    path = tmp_path / "nl.json"
    path.write_text(json.dumps(WRONG))
    app, run = application(), CliRunner().invoke
    assert run(app, ["languages"]).stdout.splitlines() == ["en\tEnglish", "es\tEspañol"]
    assert run(app, ["languages", str(FOLDER / "es.json")]).stdout == "complete\n"
    checked = run(app, ["languages", str(path)])
    assert checked.exit_code == 1
    assert "sentences.over.lost: {lost} is missing" in checked.stdout
    assert "cannot be read" in run(app, ["languages", str(tmp_path / "none.json")]).stdout


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("nl", "[]", "a language is a JSON object"),
        ("nl", "{", "Expecting property name"),
        ("nl", '{"plurals": {"one": "once"}}', "'once' is no condition"),
        ("en", "{}", "English cannot be replaced"),
    ],
)
def test_a_file_that_is_no_language_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, problem: str
) -> None:
    (tmp_path / f"{name}.json").write_text(text)
    monkeypatch.setenv("CITYGAUGE_LANGUAGES", str(tmp_path))
    answer = CliRunner().invoke(application(), ["languages"])
    assert answer.exception is not None
    assert problem in str(answer.exception)
    assert set(LANGUAGES) == {"en", "es"}


def test_the_console_gets_one_language_and_the_names_of_all() -> None:
    names = find("words/languages.js")
    spanish = find("words/es.js")
    assert names is not None
    assert spanish is not None
    assert names.plain.decode() == 'export default {"en":"English","es":"Español"};\n'
    served = json.loads(spanish.plain.decode().removeprefix("export default ")[:-2])
    assert served["console"] == LANGUAGES["es"].console
    assert served["sentences"] == LANGUAGES["es"].sentences
    assert find("words/fr.js") is None
    assert find("es") is None

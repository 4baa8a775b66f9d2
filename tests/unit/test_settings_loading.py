"""Settings come from file and environment, and what nobody knows stops the start with a sentence that names it."""

import re
from pathlib import Path

import pytest

from services.cli.reference import METRICS, pages
from services.cli.settings import (
    OTHER_VARIABLES,
    BrokerLocation,
    DatabaseAddress,
    Section,
    Sources,
    settings_class,
    variable,
)
from services.domain.errors import SettingError
from services.ingest.settings import IngestSettings
from services.notify.settings import NotifySettings

DOCS = Path(__file__).parents[2] / "docs"


def sources(tmp_path: Path, text: str = "", **environment: str) -> Sources:
    if text:
        (tmp_path / "citygauge.toml").write_text(text)
    return Sources(environment, tmp_path)


def test_defaults_file_and_environment_in_this_order(tmp_path: Path) -> None:
    plain = sources(tmp_path).load(Section.INGEST, IngestSettings)
    assert plain == IngestSettings()
    text = "[ingest]\nbatch_messages = 7\nbatch_wait_ms = 1.5\n"
    both = sources(tmp_path, text, CITYGAUGE_INGEST_BATCH_MESSAGES="9")
    loaded = both.load(Section.INGEST, IngestSettings)
    assert (loaded.batch_messages, loaded.batch_wait_ms) == (9, 1.5)
    assert both.origin(Section.INGEST, "batch_messages") == "CITYGAUGE_INGEST_BATCH_MESSAGES"
    assert both.origin(Section.INGEST, "batch_wait_ms") == str(tmp_path / "citygauge.toml")
    assert both.origin(Section.INGEST, "qos") == "default"


def test_a_file_elsewhere_is_named_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[ingest]\nqos = 0\n")
    found = sources(tmp_path, CITYGAUGE_CONFIG="other.toml")
    assert found.load(Section.INGEST, IngestSettings).qos == 0
    with pytest.raises(SettingError, match=r"CITYGAUGE_CONFIG: .*cannot be read"):
        sources(tmp_path, CITYGAUGE_CONFIG="none.toml").load(Section.INGEST, IngestSettings)


def test_lists_and_tables_are_json_or_words_with_commas(tmp_path: Path) -> None:
    topics = sources(tmp_path, CITYGAUGE_INGEST_TOPICS='{"a/+": "native"}')
    assert dict(topics.load(Section.INGEST, IngestSettings).topics) == {"a/+": "native"}
    route = '[{"channel": "log", "name": "here"}]'
    routes = sources(tmp_path, CITYGAUGE_NOTIFY_ROUTES=route).load(Section.NOTIFY, NotifySettings)
    assert [each.name for each in routes.routes] == ["here"]
    with pytest.raises(SettingError, match=r"CITYGAUGE_NOTIFY_ROUTES: it takes JSON"):
        sources(tmp_path, CITYGAUGE_NOTIFY_ROUTES="[{").load(Section.NOTIFY, NotifySettings)


def test_addresses_have_customary_names_too(tmp_path: Path) -> None:
    url = "postgresql://me:secret@host/db"
    found = sources(tmp_path, DATABASE_URL=url).load(Section.DATABASE, DatabaseAddress)
    assert found.url.get_secret_value() == url
    assert "secret" not in repr(found)
    mqtt = sources(tmp_path, MQTT_URL="mqtt://one", CITYGAUGE_MQTT_URL="mqtt://two")
    assert mqtt.load(Section.MQTT, BrokerLocation).url.get_secret_value() == "mqtt://two"


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("", {"CITYGAUGE_INGEST_QOSS": "1"}, "CITYGAUGE_INGEST_QOSS: .*mean CITYGAUGE_INGEST_QOS"),
        ("", {"CITYGAUGE_ZEBRA": "1"}, "CITYGAUGE_ZEBRA: it is not known$"),
        ("", {"CITYGAUGE_INGEST_QOS": "7"}, "CITYGAUGE_INGEST_QOS: .*it is '7'"),
        ("[ingest]\nqoss = 1", {}, r"qoss of \[ingest\] in .*did you mean qos\?"),
        ("[ingst]\nqos = 1", {}, r"\[ingst\] in .*did you mean ingest\?"),
        (
            "[ingest]\nbatch_wait_ms = 'x'",
            {},
            r"batch_wait_ms of \[ingest\] in .*number; it is 'x'",
        ),
        ("ingest = 1", {}, r"ingest in .*it is a table"),
        ("[ingest", {}, "citygauge.toml: .*cannot be read"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        sources(tmp_path, text, **environment).load(Section.INGEST, IngestSettings)


def test_a_wrong_name_in_another_section_stops_every_start(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="CITYGAUGE_API_PORTS"):
        sources(tmp_path, CITYGAUGE_API_PORTS="1").load(Section.INGEST, IngestSettings)


def test_a_missing_address_is_named_and_a_secret_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="DATABASE_URL: it is missing"):
        sources(tmp_path).load(Section.DATABASE, DatabaseAddress)
    with pytest.raises(SettingError) as error:
        sources(tmp_path, DATABASE_URL="mysql://me:topsecret@host").load(
            Section.DATABASE, DatabaseAddress
        )
    assert str(error.value).endswith("it must be an address that begins with postgresql://")
    assert "topsecret" not in str(error.value)
    with pytest.raises(SettingError) as error:
        sources(
            tmp_path,
            CITYGAUGE_NOTIFY_ROUTES='[{"channel": "webhook", "name": "x", "secret": "topsecret"}]',
        ).load(Section.NOTIFY, NotifySettings)
    assert "topsecret" not in str(error.value)


@pytest.mark.parametrize("section", Section)
def test_every_setting_is_described(section: Section) -> None:
    cls = settings_class(section)
    assert cls.model_config.get("frozen")
    assert cls.model_config.get("extra") == "forbid"
    page = pages()["settings.md"]
    for name, info in cls.model_fields.items():
        assert info.description, f"{section}.{name} lacks a description"
        assert f"`{variable(section, name)}`" in page
        assert info.description.replace("\n", " ").replace("|", "\\|") in page
    for name in OTHER_VARIABLES:
        assert f"`{name}`" in page


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "metrics.md"])
def test_the_pages_in_docs_are_those_of_the_code(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `citygauge reference docs`"


@pytest.mark.parametrize("service", METRICS)
def test_every_metric_is_documented_and_well_named(service: str) -> None:
    page = pages()["metrics.md"]
    section = page.partition(f"\n## {service}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) > 3
    for row in rows:
        name, kind, _, text = (cell.strip(" `") for cell in row.strip("|").split(" | ", 3))
        assert re.fullmatch(rf"citygauge_{service}_[a-z0-9_]+", name), name
        assert (kind == "counter") == name.endswith("_total"), name
        assert len(text) > 10, name

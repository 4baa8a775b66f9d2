"""Loads each room's settings from citygauge.toml and CITYGAUGE_* variables; what nobody knows stops the start.

One table and one prefix for each section; a variable wins over the file. It alone reads the environment.
"""

from __future__ import annotations

import importlib
import json
import os
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, TypeVar, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from services.domain.errors import SettingError

PREFIX: Final = "CITYGAUGE_"
FILE: Final = "citygauge.toml"
M = TypeVar("M", bound=BaseModel)


class DatabaseAddress(BaseModel):
    """Where the database is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(
        description="address of TimescaleDB, postgresql://user:password@host:5432/name"
    )

    @field_validator("url")
    @classmethod
    def _is_one(cls, url: SecretStr) -> SecretStr:
        if urlsplit(url.get_secret_value()).scheme not in {"postgresql", "postgres"}:
            raise ValueError("it must be an address that begins with postgresql://")
        return url


class BrokerLocation(BaseModel):
    """Where the MQTT broker is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(
        description="address of the MQTT 5 broker, mqtt://user:password@host:1883, or mqtts://user:password@host:8883 "
        "for TLS; ?ca=FILE behind it names the certificates (PEM) of an authority of your own"
    )

    @field_validator("url")
    @classmethod
    def _is_one(cls, url: SecretStr) -> SecretStr:
        if urlsplit(url.get_secret_value()).scheme not in {"mqtt", "mqtts"}:
            raise ValueError("it must be an address that begins with mqtt:// or mqtts://")
        return url


class Section(StrEnum):
    """A table of citygauge.toml, and what follows CITYGAUGE_ in the names of its variables."""

    DATABASE = "database"
    MQTT = "mqtt"
    INGEST = "ingest"
    DETECT = "detect"
    DETECTORS = "detectors"
    NOTIFY = "notify"
    API = "api"
    MAINTAIN = "maintain"


CLASSES: Final[Mapping[Section, tuple[str, str]]] = {
    Section.DATABASE: ("services.cli.settings", "DatabaseAddress"),
    Section.MQTT: ("services.cli.settings", "BrokerLocation"),
    Section.INGEST: ("services.ingest.settings", "IngestSettings"),
    Section.DETECT: ("services.detect.settings", "DetectSettings"),
    Section.DETECTORS: ("services.detect.detector_settings", "DetectorSettings"),
    Section.NOTIFY: ("services.notify.settings", "NotifySettings"),
    Section.API: ("services.api.settings", "ApiSettings"),
    Section.MAINTAIN: ("services.store.maintain_settings", "MaintainSettings"),
}
"""Section -> module and class of its settings, imported when they are needed."""

OTHER_VARIABLES: Final[Mapping[str, str]] = {
    "CITYGAUGE_CONFIG": "path of the settings file; ./citygauge.toml when not given",
    "CITYGAUGE_CACHE_DIR": "folder for the embedded database and broker that demo and tests prepare",
    "CITYGAUGE_CHROMIUM": "path of the Chromium that the tests of the console drive",
    "CITYGAUGE_LANGUAGES": "folder with further languages, one JSON file each (docs/languages.md)",
    "CITYGAUGE_LOG_LEVEL": "debug, info (when not given), warning or error",
    "CITYGAUGE_SHARED": "folder with the recordings that some tests replay",
}
"""Variables that are no setting of a section, and what they are for."""

ALIASES: Final[Mapping[tuple[Section, str], str]] = {
    (Section.DATABASE, "url"): "DATABASE_URL",
    (Section.MQTT, "url"): "MQTT_URL",
}
"""Settings that a second, customary variable may give."""


def settings_class(section: Section) -> type[BaseModel]:
    """The class of a section's settings."""
    module, name = CLASSES[section]
    found: type[BaseModel] = getattr(importlib.import_module(module), name)
    return found


def variable(section: Section, field: str) -> str:
    """The name of the environment variable of a setting."""
    return f"{PREFIX}{section.upper()}_{field.upper()}"


@dataclass(frozen=True)
class Sources:
    """Where settings come from: an environment, and the settings file that it names."""

    environment: Mapping[str, str]
    folder: Path

    @classmethod
    def of_process(cls) -> Sources:
        """This process's environment and working folder."""
        return cls(os.environ, Path.cwd())

    @cached_property
    def path(self) -> Path | None:
        """The settings file; None where there is none and none was asked for."""
        named = self.environment.get("CITYGAUGE_CONFIG")
        if named:
            return self.folder / named
        path = self.folder / FILE
        return path if path.is_file() else None

    @cached_property
    def tables(self) -> Mapping[str, Mapping[str, object]]:
        """The file's tables, their names checked.

        Raises:
            SettingError: the file cannot be read, or it has a table that no section has.
        """
        if self.path is None:
            return {}
        try:
            document = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            name = "CITYGAUGE_CONFIG" if "CITYGAUGE_CONFIG" in self.environment else FILE
            raise SettingError(name, f"{self.path} cannot be read: {error}") from error
        for name, table in document.items():
            if name not in list(Section):
                raise SettingError(f"[{name}] in {self.path}", _unknown(name, list(Section)))
            if not isinstance(table, dict):
                raise SettingError(f"{name} in {self.path}", f"it is a table: [{name}]")
        return document

    def load(self, section: Section, cls: type[M]) -> M:
        """The settings of a section.

        Raises:
            SettingError: an unknown or missing name, or a wrong value; the message names it as it was written.
        """
        self.check_names()
        names = self._names(section)
        values = dict(self._from_file(section))
        for field, name in names.items():
            text = self.environment[name]
            values[field] = _from_text(name, text, cls.model_fields[field].annotation)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise self._explained(section, error, names) from None

    def origin(self, section: Section, field: str) -> str:
        """Where a setting's value comes from: a variable's name, the file's path, or "default"."""
        names = self._names(section)
        if field in names:
            return names[field]
        return str(self.path) if field in self._from_file(section) else "default"

    def check_names(self) -> None:
        """Refuse names that no section has, in the file and the environment.

        Raises:
            SettingError: the first such name.
        """
        for section in Section:
            fields = list(settings_class(section).model_fields)
            for field in self._from_file(section):
                if field not in fields:
                    raise SettingError(
                        f"{field} of [{section}] in {self.path}", _unknown(field, fields)
                    )
        known = {*_variables(), *OTHER_VARIABLES}
        for name in self.environment:
            if name.startswith(PREFIX) and name not in known:
                raise SettingError(name, _unknown(name, sorted(known)))

    def _from_file(self, section: Section) -> Mapping[str, object]:
        return self.tables.get(section, {})

    def _names(self, section: Section) -> dict[str, str]:
        """Field -> the variable that gives it, for those that are given."""
        names = {}
        for field in settings_class(section).model_fields:
            own, alias = variable(section, field), ALIASES.get((section, field))
            if own in self.environment:
                names[field] = own
            elif alias is not None and self.environment.get(alias):
                names[field] = alias
        return names

    def _explained(
        self, section: Section, error: ValidationError, names: Mapping[str, str]
    ) -> SettingError:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        inner = "".join(f"[{part}]" for part in first["loc"][1:])
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing" and len(first["loc"]) == 1:
            name = ALIASES.get((section, field), variable(section, field))
            return SettingError(name, f"it is missing: {_description(section, field)}")
        name = names.get(field) or f"{field} of [{section}] in {self.path}"
        given = first["input"]
        shown = "" if _is_secret(section, field) else f"; it is {given!r:.80}"
        return SettingError(name, f"{f'{inner}: ' if inner else ''}{problem}{shown}")


def _description(section: Section, field: str) -> str:
    return settings_class(section).model_fields[field].description or field


def _is_secret(section: Section, field: str) -> bool:
    info = settings_class(section).model_fields.get(field)
    return info is None or "Secret" in str(info.annotation) or _is_table(info.annotation)


def _variables() -> Iterator[str]:
    for section in Section:
        for field in settings_class(section).model_fields:
            yield variable(section, field)


def _unknown(name: str, known: list[str]) -> str:
    # The prefix that all of them share says nothing about likeness.
    rests = {each.removeprefix(PREFIX): each for each in known}
    close = get_close_matches(name.removeprefix(PREFIX), rests, n=1, cutoff=0.7)
    return f"it is not known; did you mean {rests[close[0]]}?" if close else "it is not known"


def _from_text(name: str, text: str, annotation: object) -> object:
    """A variable's text as pydantic takes it: JSON for lists and tables, plain for everything else."""
    if not _is_table(annotation):
        return text
    try:
        return json.loads(text)
    except ValueError:
        if "{" in text or "[" in text:
            raise SettingError(name, "it takes JSON, and this is none") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_table(annotation: object) -> bool:
    """Whether a value of this type is a list or a table rather than one word or number."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_table(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return any(_is_table(each) for each in get_args(annotation))
    kind = origin or annotation
    if not isinstance(kind, type):
        return False
    return issubclass(kind, (list, tuple, dict, set, frozenset, BaseModel)) or kind is Mapping

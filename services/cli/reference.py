"""Pages made from the code: settings, commands, metrics, formats; and the command that shows the settings in force.

Tests hold the pages and the code together; `citygauge reference docs` writes them again.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.cli.settings import (
    ALIASES,
    OTHER_VARIABLES,
    Section,
    Sources,
    settings_class,
    variable,
)
from services.domain.errors import SettingError

_NOTE: Final = "<!-- Made by `citygauge reference docs`; change the code, not this page. -->"
_TITLES: Final[Mapping[Section, str]] = {
    Section.DATABASE: "The database's address",
    Section.MQTT: "The broker's address",
    Section.INGEST: "`citygauge ingest`",
    Section.DETECT: "`citygauge detect`",
    Section.DETECTORS: "The detectors' limits",
    Section.NOTIFY: "`citygauge notify`",
    Section.API: "`citygauge api`",
    Section.MAINTAIN: "`citygauge maintain`",
}
METRICS: Final[Mapping[str, tuple[str, str, tuple[object, ...]]]] = {
    "ingest": ("services.ingest.metrics", "IngestMetrics", ()),
    "detect": ("services.detect.metrics", "DetectMetrics", ()),
    "notify": ("services.notify.metrics", "NotifyMetrics", ((),)),
    "api": ("services.api.metrics", "ApiMetrics", ()),
    "maintain": ("services.cli.maintain_metrics", "MaintainMetrics", ()),
}
"""Service -> module and class of its metrics, and what the class is made with."""


def settings(
    section: Section | None = typer.Argument(None, help="Only this section."),
) -> None:
    """Show the settings in force and where each comes from. Secrets are not shown."""
    from rich.console import Console
    from rich.table import Table

    sources = Sources.of_process()
    sources.check_names()
    table = Table("setting", "value", "from", box=None)
    for each in [section] if section else Section:
        cls = settings_class(each)
        try:
            values = sources.load(each, cls)
        except SettingError as error:
            if each not in (Section.DATABASE, Section.MQTT):
                raise
            table.add_row(f"{each}.url", "not set", str(error.name))
            continue
        for field in cls.model_fields:
            value = getattr(values, field)
            origin = sources.origin(each, field)
            shown = "***" if _hides(cls.model_fields[field], value) else _plain(value)
            table.add_row(f"{each}.{field}", shown, origin)
    Console(highlight=False, markup=False).print(table)


def write_reference(
    folder: Path = typer.Argument(Path("docs"), help="Where the pages go."),
) -> None:
    """Write the pages that are made from the code."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(f"{folder / name} written", err=True)


def pages() -> dict[str, str]:
    """File name -> text of each page."""
    return {
        "settings.md": _page(_settings_page()),
        "cli.md": _page(_commands_page()),
        "metrics.md": _page(_metrics_page()),
        "openapi.json": _openapi(),
        "native-payload.schema.json": _schema(),
    }


def _openapi() -> str:
    from services.api.app import create_app
    from services.api.settings import ApiSettings

    document = create_app(ApiSettings(), "postgresql://nobody@127.0.0.1/none").openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _schema() -> str:
    from services.ingest.schema import render

    return render()


def _page(lines: Iterator[str]) -> str:
    return "\n".join([_NOTE, "", *lines, ""])


def _settings_page() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield (
        "A setting stands in `citygauge.toml` in the working folder (or the file that `CITYGAUGE_CONFIG` names), "
        "in the table of its section, or in the environment; the environment wins. An unknown name or a wrong value "
        "stops the start with a sentence that names it. `citygauge settings` shows what is in force. Lists and "
        "tables are given to a variable as JSON, lists of words also with commas."
    )
    for section in Section:
        yield from ("", f"## [{section}] {_TITLES[section]}", "")
        yield from _table(("setting", "variable", "type", "default", "bounds", "what it does"))
        for field, info in settings_class(section).model_fields.items():
            alias = ALIASES.get((section, field))
            names = f"`{variable(section, field)}`" + (f" or `{alias}`" if alias else "")
            yield _row(
                f"`{field}`",
                names,
                f"`{_type(info)}`",
                _default(info),
                _bounds(info),
                info.description or "",
            )
        for field, info in settings_class(section).model_fields.items():
            for cls in _tables_in(info.annotation):
                yield from (
                    "",
                    f"### `{field}`: {cls.__name__}",
                    "",
                    (cls.__doc__ or "").strip(),
                    "",
                )
                yield from _table(("setting", "type", "default", "bounds", "what it does"))
                for name, each in cls.model_fields.items():
                    yield _row(
                        f"`{name}`",
                        f"`{_type(each)}`",
                        _default(each),
                        _bounds(each),
                        each.description or "",
                    )
    yield from ("", "## Other variables", "")
    yield from _table(("variable", "what it is for"))
    for name, purpose in OTHER_VARIABLES.items():
        yield _row(f"`{name}`", purpose)


def _commands_page() -> Iterator[str]:
    from typer.main import get_command

    from services.cli.commands import application

    yield "# Commands"
    command = get_command(application())
    yield from ("", (command.help or "").strip())
    yield from _commands(command, "citygauge")


def _commands(command: Any, path: str) -> Iterator[str]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if child.hidden:
            continue
        full = f"{path} {name}"
        yield from ("", f"## {full}", "", (child.help or "").strip())
        rows = [row for row in (_parameter(each) for each in child.params) if row]
        if rows:
            yield ""
            yield from _table(("argument or option", "default", "what it does"))
            yield from rows
        yield from _commands(child, full)


def _parameter(parameter: Any) -> str:
    if parameter.hidden or parameter.name == "help":
        return ""
    if parameter.opts[0].startswith("-"):
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    else:
        names = f"`{parameter.name.upper().rstrip('_')}`"
    kind = parameter.type_descriptor.annotation
    choices = list(kind) if isinstance(kind, type) and issubclass(kind, Enum) else []
    known = f" One of {', '.join(str(each.value) for each in choices)}." if choices else ""
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    shown = f"`{getattr(default, 'value', default)}`" if plain else ""
    if parameter.required:
        shown = "required"
    return _row(names, shown, (parameter.help or "") + known)


def _metrics_page() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield (
        "Each service serves its metrics in Prometheus' text format: the API at `/metrics`, the others at `/metrics` "
        "of the loopback port that their setting `metrics_port` names."
    )
    for service in METRICS:
        yield from ("", f"## {service}", "")
        yield from _table(("metric", "kind", "labels", "what it says"))
        for name, kind, labels, text in sorted(_metrics_of(service)):
            yield _row(f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text)


def _metrics_of(service: str) -> Iterator[tuple[str, str, Sequence[str], str]]:
    module, class_name, arguments = METRICS[service]
    metrics = getattr(importlib.import_module(module), class_name)(*arguments)
    labels = {
        getattr(each, "_name", ""): tuple(getattr(each, "_labelnames", ()))
        for each in vars(metrics).values()
    }
    for family in metrics.registry.collect():
        if family.name.startswith("citygauge"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield name, family.type, labels.get(family.name, ()), family.documentation


def _table(head: Sequence[str]) -> Iterator[str]:
    yield _row(*head)
    yield _row(*("---" for _ in head))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _tables_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a setting's type holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _tables_in(part)


def _type(info: FieldInfo) -> str:
    kind = info.annotation
    if get_origin(kind) is Literal:
        return " or ".join(str(getattr(each, "value", each)) for each in get_args(kind))
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    for noise in ("typing.", "collections.abc.", "pydantic.types.", "services."):
        text = text.replace(noise, "")
    return "secret text" if "SecretStr" in text else text


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "required" if info.default_factory is None else "made anew"
    return f"`{_plain(info.default)}`" if info.default not in (None, "") else "none"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_plain(each)}" for key, each in value.items())
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(_plain(each) for each in value)
    return str(getattr(value, "value", value))


def _hides(info: FieldInfo, value: object) -> bool:
    return isinstance(value, SecretStr) or ("Secret" in str(info.annotation) and value is not None)


def _bounds(info: FieldInfo) -> str:
    marks = {"ge": "≥ ", "gt": "> ", "le": "≤ ", "lt": "< ", "min_length": "length ≥ "}
    found = []
    for each in info.metadata:
        for name, mark in marks.items():
            limit = getattr(each, name, None)
            if limit is not None:
                found.append(f"{mark}{limit}")
        pattern = getattr(each, "pattern", None)
        if pattern:
            found.append(f"`{pattern}`")
    return ", ".join(found)

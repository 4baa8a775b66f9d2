"""Every command of `citygauge` by name, where it is, and under which heading the help shows it.

A command is imported when it is asked for: a service that starts need not read the files of two dozen others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from importlib import import_module
from typing import Final, NamedTuple

import typer

PREVIEW_JOB: Final = "preview-job"
"""What the API starts beside itself."""
_HELP: Final = """
Water meters and traffic sensors over MQTT into TimescaleDB; leaks and congestion out, once and in plain words.

New here? `citygauge demo` shows a whole city on this machine. `citygauge doctor` says what is missing.

Exit status: 0 done, 1 failed, 2 wrong use or a wrong setting, 130 interrupted.
"""


class Heading(StrEnum):
    """Headings of the help."""

    TRY = "Try it"
    RUN = "Run the services (each needs DATABASE_URL; ingest also MQTT_URL)"
    FEED = "Feed it"
    LOOK = "Look after it"


class Place(NamedTuple):
    """A function of a module of this package, or its group of commands; without a heading the help hides it."""

    module: str
    name: str
    heading: Heading | None = None


COMMANDS: Final[Mapping[str, Place]] = {
    "demo": Place("demo", "demo", Heading.TRY),
    "doctor": Place("doctor", "doctor", Heading.TRY),
    "migrate": Place("serve", "migrate", Heading.RUN),
    "ingest": Place("serve", "ingest", Heading.RUN),
    "detect": Place("serve", "detect", Heading.RUN),
    "notify": Place("notify", "app", Heading.RUN),
    "api": Place("serve", "api", Heading.RUN),
    "sensors": Place("sensors", "app", Heading.FEED),
    "simulate": Place("simulate", "simulate", Heading.FEED),
    "replay": Place("replay", "replay", Heading.FEED),
    "decode": Place("decode", "decode", Heading.LOOK),
    "backtest": Place("backtest", "backtest", Heading.LOOK),
    "score": Place("score", "score", Heading.LOOK),
    "tune": Place("tune", "tune", Heading.LOOK),
    "expect": Place("expect", "app", Heading.LOOK),
    "rejected": Place("rejected", "app", Heading.LOOK),
    "workers": Place("workers", "app", Heading.LOOK),
    "maintain": Place("maintain", "maintain", Heading.LOOK),
    "keys": Place("keys", "app", Heading.LOOK),
    "export": Place("export", "export", Heading.LOOK),
    "takeout": Place("takeout", "takeout", Heading.LOOK),
    "languages": Place("languages", "languages", Heading.LOOK),
    "settings": Place("reference", "settings", Heading.LOOK),
    "reference": Place("reference", "write_reference"),
    PREVIEW_JOB: Place("preview_job", "preview_job"),
}


def application(names: Iterable[str] = tuple(COMMANDS)) -> typer.Typer:
    """The command with these of its commands."""
    app = typer.Typer(
        name="citygauge",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_common)
    for name in names:
        place = COMMANDS[name]
        found = getattr(import_module(f"services.cli.{place.module}"), place.name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, rich_help_panel=place.heading)
        else:
            hidden = place.heading is None
            app.command(name, rich_help_panel=place.heading, hidden=hidden)(found)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("citygauge"))
        raise typer.Exit


def _common(
    version: bool = typer.Option(
        False, "--version", help="Show the version and stop.", is_eager=True, callback=_show_version
    ),
) -> None:
    from services.cli.languages import learn

    learn()

"""The languages that people are spoken to in: those of a folder of yours, and the check of a language's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import typer

from services.domain.errors import SettingError

_VARIABLE: Final = "CITYGAUGE_LANGUAGES"


def learn() -> None:
    """Speak the languages of the folder that CITYGAUGE_LANGUAGES names, too.

    Raises:
        SettingError: there is no such folder, or a file in it is no language.
    """
    named = os.environ.get(_VARIABLE)
    if not named:
        return
    from services.domain.sentences.language import speak_also

    folder = Path(named)
    if not folder.is_dir():
        raise SettingError(_VARIABLE, f"{named} is no folder")
    try:
        speak_also(folder)
    except ValueError as error:
        raise SettingError(_VARIABLE, str(error)) from error


def languages(
    files: list[Path] | None = typer.Argument(
        None, help="Languages' files to check (xx.json), before or after they are put in place."
    ),
) -> None:
    """List the languages that the console and the notifications speak, or check a language's file.

    A check names what a file lacks, what nothing says, and values that a text forgets or makes up; it ends with
    status 1 where there is any. `citygauge languages xx.json` needs no database.
    """
    from services.domain.sentences.language import LANGUAGES

    if not files:
        for each in LANGUAGES.values():
            typer.echo(f"{each.tag}\t{each.name}")
        return
    found = [f"{path}: {finding}" for path in files for finding in _findings(path)]
    for line in found:
        typer.echo(line)
    if found:
        raise typer.Exit(1)
    typer.echo("complete")


def _findings(path: Path) -> list[str]:
    from services.domain.sentences.catalogue_file import findings
    from services.domain.sentences.language import CATALOGUE, read_language

    try:
        return list(findings(read_language(path), CATALOGUE))
    except (OSError, ValueError) as error:
        return [f"it cannot be read: {error}"]

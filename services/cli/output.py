"""Files that an option names and a command writes; what cannot be written is wrong use, and told before the work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.domain.sensor import Sensor


def make_room(option: str, path: Path) -> None:
    """Make the folder of a file that will be written later.

    Raises:
        InvalidInput: nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(option, path, error.strerror) from error
    if path.is_dir():
        raise _refused(option, path, "it is a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _refused(option, path, "permission denied")


def write_file(option: str, path: Path, text: str) -> None:
    """Write a text, its line ends as they are; errors as in `make_room`."""
    make_room(option, path)
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise _refused(option, path, error.strerror) from error


def write_sensors(option: str, path: Path, sensors: Iterable[Sensor]) -> None:
    """Write a sensor file of the form that its name says; errors as in `make_room`, and for another ending."""
    from services.domain.sensor_file import to_csv, to_geojson

    name = path.name.lower()
    if not name.endswith((".csv", ".geojson", ".json")):
        raise InvalidInput(option, str(path), "a name that ends in .csv or .geojson")
    write_file(option, path, to_csv(sensors) if name.endswith(".csv") else to_geojson(sensors))


def _refused(option: str, path: Path, problem: str | None) -> InvalidInput:
    return InvalidInput(option, str(path), f"a file that can be written ({problem})")

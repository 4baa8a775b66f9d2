"""Reads the lines of a recorded case: readings.csv or readings.csv.gz with time, sensor_id, kind, metric, value.

A `received_at` column may say when each line arrived; `kind` may be left out; other columns are not looked at, nor is
the case of a header's letters. Text is UTF-8, or UTF-16 where its byte order mark says so (spreadsheets). A line
that is not understood is left out, counted, and the first ones are named; a file with more of them than of good ones is
refused. It refuses to hold the file, and to know what the words mean.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from services.detect.recorded.writing import Writing
from services.domain.csv_text import delimiter
from services.domain.errors import InvalidInput
from services.domain.instant import OLDEST_US
from services.domain.recording import RECORDING_COLUMNS

NEWEST_US: Final = 4_102_444_800_000_000
"""2100-01-01: a later time stamp is a device without a clock."""
ARRIVAL: Final = "received_at"
AS_USUAL: Final = Writing()
_NAMED: Final = 3
_TIMES_KEPT: Final = 50_000


class Line(NamedTuple):
    """One line that was understood.

    Attributes:
        when: the time as it is written; at_us: the same in microseconds since 1970.
        received_us: when it arrived; `at_us` where the file does not say.
        kind: empty where the file does not say.
        value: NaN where it is missing.
    """

    when: str
    at_us: int
    received_us: int
    sensor_id: str
    kind: str
    metric: str
    value: float


@dataclass
class BadLines:
    """What was left out of a file.

    Attributes:
        count: how many lines; named: sentences about the first ones.
    """

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, line: int, problem: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.named) < _NAMED:
            self.named.append(f"line {line}: {problem}")


def readings_file(case: Path) -> Path:
    """The readings of a case's folder, or the file itself.

    Raises:
        InvalidInput: there is none.
    """
    if case.is_file():
        return case
    for name in ("readings.csv", "readings.csv.gz"):
        if (case / name).is_file():
            return case / name
    raise InvalidInput("case", str(case), "a folder with readings.csv or readings.csv.gz")


def recorded_lines(path: Path, bad: BadLines, writing: Writing = AS_USUAL) -> Iterator[Line]:
    """The lines of a readings file in their order; what is left out is added to `bad`. An empty file has none.

    Args:
        path: of the file.
        bad: where to say what was left out.
        writing: how its times and numbers are written.

    Raises:
        InvalidInput: the file cannot be read to its end, its header lacks a column, or most of it is not understood.
    """
    good = 0
    try:
        with _open(path) as file:
            for line in _parsed(path, file, bad, writing):
                good += 1
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(
            "readings",
            str(path),
            f"a file that can be read to its end ({error}; {good} lines could be read): copy it again, or unpack what "
            "there is of it",
        ) from error
    if bad.count > good:
        raise InvalidInput(
            "readings",
            str(path),
            f"mostly lines that are understood, and {bad.count} of {bad.count + good} are not: {'; '.join(bad.named)}",
        )


def _open(path: Path) -> TextIO:
    packed = path.suffix == ".gz"
    with gzip.open(path) if packed else path.open("rb") as raw:
        sixteen = raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if sixteen else "utf-8-sig"
    if packed:
        return gzip.open(path, "rt", encoding=encoding, errors="replace", newline="")
    return path.open(encoding=encoding, errors="replace", newline="")


def _parsed(path: Path, file: TextIO, bad: BadLines, writing: Writing) -> Iterator[Line]:
    first = file.readline()
    reader = csv.reader(chain([first] if first else [], file), delimiter=delimiter(first))
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not header:
        return
    missing = [name for name in RECORDING_COLUMNS if name not in header and name != "kind"]
    if missing:
        raise InvalidInput(
            f"header of {path.name}",
            ",".join(header),
            f"columns {', '.join(RECORDING_COLUMNS)}; {', '.join(missing)} cannot be found",
        )
    width = len(header)
    time_at, id_at, metric_at, value_at = (
        header.index(name) for name in ("time", "sensor_id", "metric", "value")
    )
    kind_at = header.index("kind") if "kind" in header else None
    arrival_at = header.index(ARRIVAL) if ARRIVAL in header else None
    times: dict[str, int] = {}
    number = writing.number
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.add(reader.line_num, str(error))
            continue
        if not row:
            continue
        try:
            if len(row) != width:
                raise InvalidInput("line", ",".join(row), f"{width} columns")
            when = row[time_at]
            at_us = times.get(when)
            if at_us is None:
                at_us = _instant(when, times, writing)
            received_us = at_us
            if arrival_at is not None and row[arrival_at]:
                received_us = max(
                    at_us, times.get(row[arrival_at]) or _instant(row[arrival_at], times, writing)
                )
            if not row[id_at] or not row[metric_at]:
                raise InvalidInput("line", ",".join(row), "a sensor_id and a metric")
            text = row[value_at]
            value = number(text) if text else math.nan
        except InvalidInput as error:
            bad.add(reader.line_num, str(error))
            continue
        yield Line(
            when,
            at_us,
            received_us,
            row[id_at],
            row[kind_at] if kind_at is not None else "",
            row[metric_at],
            value,
        )


def _instant(text: str, known: dict[str, int], writing: Writing) -> int:
    us = writing.instant(text)
    if not OLDEST_US <= us < NEWEST_US:
        raise InvalidInput("time", text, "a time from 2000 to 2099")
    if len(known) >= _TIMES_KEPT:
        known.clear()
    known[text] = us
    return us

"""Writes a labelled case as the practice set keeps one: readings.csv.gz and truth.json. It refuses to make it up."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.domain.instant import isoformat


def write_files(
    folder: Path,
    rows: Sequence[tuple[int, str, str, float]],
    facts: Mapping[str, object],
    kind: str = "customer_meter",
    kinds: Mapping[str, str] | None = None,
) -> None:
    """readings.csv.gz of (time, sensor, metric, value) of sensors of a kind, some of other kinds, and truth.json."""
    others = kinds or {}
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(("time", "sensor_id", "kind", "metric", "value"))
    for at_us, name, metric, value in rows:
        out.writerow((isoformat(at_us), name, others.get(name, kind), metric, value))
    with (folder / "readings.csv.gz").open("wb") as file:
        file.write(gzip.compress(text.getvalue().encode(), 1, mtime=0))
    (folder / "truth.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")

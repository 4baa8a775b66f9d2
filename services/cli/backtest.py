"""The command that runs the live detectors over recorded cases."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from services.domain.errors import InvalidInput


def backtest(
    cases: list[Path] = typer.Argument(
        help="Folders with readings.csv or readings.csv.gz; folders below are searched too."
    ),
    alerts: Path | None = typer.Option(
        None, help="Write <case>.jsonl into this folder instead of JSON lines on standard output."
    ),
    scores: Path | None = typer.Option(
        None,
        help="Write the general anomaly score (0 to 1) of every reading: a .csv file, or a folder for <case>.csv.",
    ),
) -> None:
    """Run the very detectors of the service over recordings, and write the alerts they would have raised.

    No database and no broker. One JSON line an alert, with the stream time at which a person would have known.
    """
    import json

    from services.cli.settings import Section, Sources
    from services.detect.backtest import run_case
    from services.detect.detector_settings import DetectorSettings

    settings = Sources.of_process().load(Section.DETECTORS, DetectorSettings)
    for root in cases:
        folders = sorted({path.parent for path in root.rglob("readings.csv*")})
        if not folders:
            raise InvalidInput("case", str(root), "a folder with readings.csv or readings.csv.gz")
        for folder in folders:
            begun = time.perf_counter()
            lines = sorted(
                run_case(folder, settings),
                key=lambda line: (line["detected_at"], line["sensor_id"]),
            )
            text = "".join(json.dumps(line) + "\n" for line in lines)
            name = folder.name if folder == root else folder.relative_to(root).as_posix()
            if alerts is None:
                typer.echo(text, nl=False)
            else:
                out = alerts / f"{name}.jsonl"
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(text, encoding="utf-8")
            if scores is not None:
                from services.detect.scored import readings_of_file, write_scores

                if scores.suffix == ".csv" and len(cases) + len(folders) > 2:
                    raise InvalidInput("scores", str(scores), "a folder, for more than one case")
                file = scores if scores.suffix == ".csv" else scores / f"{name}.csv"
                write_scores(readings_of_file(folder), file)
            seconds = time.perf_counter() - begun
            typer.echo(f"{name}: {len(lines)} alerts in {seconds:.1f} s", err=True)

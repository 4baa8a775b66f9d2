"""The command that compares alerts with the labelled truth of recorded cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from services.cli.output import make_room, write_file
from services.cli.times import zone_of
from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from services.detect.recorded.writing import Writing
    from services.detect.scoring.case_files import Scored
    from services.detect.scoring.figures import Figures

_HEAD: Final = ("events", "found", "recall", "precision", "false alarms")


def score(
    case: Path = typer.Argument(
        help="Folder with truth.json and readings; or a folder with such folders below."
    ),
    alerts: Path = typer.Argument(
        help="JSON lines as `citygauge backtest` writes them; or the folder of its CASE.jsonl."
    ),
    html: Path | None = typer.Option(
        None, help="Write one page with a picture of each hit, miss and false alarm."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the figures as one JSON document."),
    verbose: bool = typer.Option(
        False, "--verbose", "-v", help="Name each miss and each false alarm."
    ),
    time_zone: str | None = typer.Option(
        None, help="IANA zone of times in the readings that are written without one."
    ),
    decimal_comma: bool = typer.Option(
        False, "--decimal-comma", help="Numbers in the readings have a decimal comma (17,5)."
    ),
) -> None:
    """Say what alerts are worth on labelled cases: recall, precision, false alarms, median time to detect.

    An alert counts from the moment at which a person knew, never from the start that it claims. Cases without a file
    of alerts in the folder are left out.

    A meter-day is a meter times 24 recorded hours; a corridor-day is a date on which the road was recorded, whatever
    the hours. Where leaks overlap, skill over chance compares with as many alerts evenly spread, at every phase.
    """
    import json

    from services.detect.recorded.writing import Writing
    from services.detect.scoring.case_files import cases_below, score_case

    if html is not None:
        make_room("--html", html)

    writing = Writing(zone_of("--time-zone", time_zone), decimal_comma)
    scored = [
        score_case(name, folder, path, writing)
        for name, folder in cases_below(case)
        if (path := _alerts_of(name, alerts)) is not None
    ]
    if not scored:
        raise InvalidInput("alerts", str(alerts), "a file of JSON lines, or a folder of CASE.jsonl")
    if as_json:
        typer.echo(json.dumps([_document(each) for each in scored], indent=1))
    else:
        for each in scored:
            _print_case(each, verbose)
        for domain in sorted({each.truth.domain for each in scored}):
            _print_total(domain, [each for each in scored if each.truth.domain == domain])
    if html is not None:
        _write_page(html, scored, writing)
        typer.echo(f"{html} written", err=True)


def _alerts_of(name: str, alerts: Path) -> Path | None:
    if alerts.is_dir():
        path = alerts / f"{name}.jsonl"
        return path if path.is_file() else None
    return alerts


def _document(case: Scored) -> dict[str, Any]:
    from services.domain.instant import isoformat

    return {
        "case": case.name,
        **case.whole.document(),
        "by_family": {name: each.document() for name, each in case.by_family.items()},
        "hits": {hit.event.id: hit.delay_us / 3.6e9 for hit in case.matching.hits},
        "misses": [event.id for event in case.matching.misses],
        "false_alarm_episodes": [
            {
                "sensor_id": each.alerts[0].sensor_id,
                "kind": each.alerts[0].kind,
                "detected_at": isoformat(each.alerts[0].detected_us),
                "alerts": len(each.alerts),
                "benign": each.benign.reason if each.benign else None,
            }
            for each in case.matching.false_alarms
        ],
    }


def _print_case(case: Scored, verbose: bool) -> None:
    from datetime import UTC

    from services.detect.scoring import words

    rows = [(name, result) for name, result in case.by_family.items()]
    if len(rows) != 1:
        rows.append(("all", case.whole))
    _print_table(case.name, rows, case.truth.domain)
    _print_trust(case.whole)
    if case.whole.benign:
        typer.echo(f"  {case.whole.benign} of the false alarms during something harmless")
    if verbose:
        for event in case.matching.misses:
            else_told = words.meanwhile(event, case.alerts, case.truth)
            typer.echo(f"  {words.miss_line(event, UTC)}; {else_told}")
        for episode in case.matching.false_alarms:
            typer.echo(f"  {words.false_alarm_line(episode, UTC)}")


def _print_total(domain: str, cases: Sequence[Scored]) -> None:
    from services.detect.scoring.figures import pool

    if len(cases) < 2:
        return
    total = pool(case.whole for case in cases)
    _print_table(f"{len(cases)} {domain} cases", [("all", total)], domain)
    _print_trust(total)
    one_to_one = pool(case.whole for case in cases if case.truth.one_to_one)
    if one_to_one.skill is not None:
        typer.echo(f"  skill over chance, where leaks overlap: {one_to_one.skill:+.2f}")


def _print_table(title: str, rows: Sequence[tuple[str, Figures]], domain: str) -> None:
    from services.detect.scoring import words

    head = (title, *_HEAD, words.density_unit(domain), "median time to detect")
    lines = [head]
    for name, each in rows:
        lines.append(
            (
                f"  {name}",
                f"{each.events}",
                f"{each.found}",
                words.share(each.recall),
                words.share(each.precision),
                f"{each.false_alarms}",
                words.density(each, domain),
                words.span(each.median_h),
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        first, *rest = zip(line, widths, strict=True)
        typer.echo("  ".join([first[0].ljust(max(first[1], 28)), *(t.rjust(w) for t, w in rest)]))


def _print_trust(whole: Figures) -> None:
    """Between which figures the true ones may lie: labelled events are few."""
    from services.detect.scoring import words
    from services.detect.scoring.intervals import of_share

    told = whole.found + whole.false_alarms
    parts = [
        f"{name} {words.share(interval[0])} to {words.share(interval[1])}"
        for name, interval in (
            ("recall", of_share(whole.found, whole.events)),
            ("precision", of_share(whole.found, told)),
        )
        if interval is not None
    ]
    if parts:
        typer.echo(f"  95 % intervals of all: {', '.join(parts)}")


def _write_page(path: Path, scored: Sequence[Scored], writing: Writing) -> None:
    from services.detect.recorded.recordings import read_recording
    from services.detect.scoring.drawn_series import DrawnSeries
    from services.detect.scoring.page import page

    text = page(scored, lambda case: DrawnSeries(read_recording(case.folder, writing)))
    write_file("--html", path, text)

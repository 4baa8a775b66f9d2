"""Puts scored cases on one page: the table, then a picture of each miss, false alarm and hit.

One self-contained document: no script, nothing loaded from elsewhere. It refuses text that is not escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from html import escape
from importlib.resources import files
from zoneinfo import ZoneInfo

from services.detect.scoring import words
from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.case_files import Scored
from services.detect.scoring.decision import checks
from services.detect.scoring.drawn_series import DrawnSeries
from services.detect.scoring.figures import pool
from services.detect.scoring.listing import Entry, listing, nearest
from services.detect.scoring.panel import Panel
from services.detect.scoring.pictures import Pictures
from services.detect.scoring.plot import draw
from services.detect.scoring.tables import (
    delays_plot,
    false_alarms_table,
    figures_row,
    figures_table,
    scrolled,
)

_LEGEND = (
    ("truth", "the event, by the case's truth"),
    ("other", "another event"),
    ("unknown", "truth unknown"),
    ("benign", "harmless by the case's truth"),
    ("v", "a person was told"),
    ("v onset", "when it began, as the alert says"),
    ("v also", "other alerts here"),
    ("h", "limit; bold over what the decision rests on"),
    ("h usual", "what is usual, and its spread"),
    ("h measured", "what was measured, where no limit is on the axis"),
)


def page(cases: Sequence[Scored], series_of: Callable[[Scored], DrawnSeries]) -> str:
    """The document.

    Args:
        cases: what was scored, one or more.
        series_of: reads a case's recording; asked once for each case, so that one at a time is in memory.
    """
    style = files("services.detect.scoring").joinpath("page.css").read_text(encoding="utf-8")
    title = (
        f"Scorecard of {cases[0].name}" if len(cases) == 1 else f"Scorecard of {len(cases)} cases"
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'\">",
            f"<title>{escape(title)}</title><style>{style}</style></head><body><main>",
            f"<h1>{escape(title)}</h1>",
            '<p class="soft">An event is found when an alert of its family is told at one of its sensors while it '
            "lasts. The time to detect runs from the start of the event to the moment at which a person knew.</p>",
            _overview(cases) if len(cases) > 1 else "",
            _legend(),
            *(part for case in cases for part in _case(case, series_of(case))),
            "</main></body></html>\n",
        ]
    )


def _overview(cases: Sequence[Scored]) -> str:
    """One line a case, with a link to its section; all of a domain pooled below it."""
    parts = []
    for domain in sorted({case.truth.domain for case in cases}):
        mine = [case for case in cases if case.truth.domain == domain]
        rows = [
            figures_row(case.name, case.whole, domain, link=f"#{_anchor(case)}") for case in mine
        ]
        if len(mine) > 1:
            rows.append(figures_row("all", pool(case.whole for case in mine), domain, whole=True))
        parts.append(figures_table(rows, domain, "case"))
    return "".join(parts)


def _anchor(case: Scored) -> str:
    return "case-" + "".join(c if c.isalnum() else "-" for c in case.name)


def _legend() -> str:
    parts = (f'<span><i class="{kind}"></i>{escape(text)}</span>' for kind, text in _LEGEND)
    return f'<div class="legend" aria-label="How to read the pictures">{"".join(parts)}</div>'


def _case(case: Scored, series: DrawnSeries) -> Iterator[str]:
    matching, pictures = case.matching, Pictures(case, series)
    zones = {sensor.time_zone for sensor in series.sensors.values()}
    zone = ZoneInfo(zones.pop()) if len(zones) == 1 else UTC
    hits = [hit for hit in matching.hits if hit.event.scored]
    false = len(matching.false_alarms)
    alarms = "1 false alarm" if false == 1 else f"{false} false alarms"
    counts = f"{len(matching.misses)} missed, {alarms}, {len(hits)} found"
    judged = (
        f"{words.moment(case.truth.start_us, zone, year=True)} to "
        f"{words.moment(case.truth.end_us, zone, year=True)}"
    )
    yield f'<section id="{_anchor(case)}"><h2>{escape(case.name)}</h2>'
    yield (
        f'<p class="soft facts">{escape(counts)}. Judged: {escape(judged)} ({escape(str(zone))}), '
        f"{len(case.watched.sensor_ids)} sensors.</p>"
    )
    yield _table(case)
    yield delays_plot(case.by_family)
    yield listing(_entries(case), f"show-{_anchor(case)}", zone)
    if matching.misses:
        yield '<h3>Missed</h3><div class="cards">'
        for i, event in enumerate(matching.misses):
            facts = [
                _lasted(event.start_us, event.end_us, zone),
                words.size(event.size),
                words.meanwhile(event, case.alerts, case.truth),
                nearest(event, case.alerts, case.truth.grace_us),
            ]
            title = f"{words.event_title(event)} ({event.id})"
            anchor = f"{_anchor(case)}-miss-{i}"
            yield _card("miss", "missed", anchor, title, facts, None, pictures.of_miss(event))
        yield "</div>"
    if matching.false_alarms:
        yield f"<h3>False alarms</h3>{false_alarms_table(matching.false_alarms)}"
        yield '<div class="cards">'
        for i, episode in enumerate(matching.false_alarms):
            first = episode.alerts[0]
            facts = [
                f"told {words.moment(first.detected_us, zone, year=True)}",
                f"{len(episode.alerts)} alerts in this episode" if len(episode.alerts) > 1 else "",
                f"during {episode.benign.reason.replace('_', ' ')}" if episode.benign else "",
            ]
            title = f"{first.kind.replace('_', ' ')} at {first.sensor_id}"
            panels = pictures.of_false_alarm(episode)
            anchor = f"{_anchor(case)}-false-{i}"
            yield _card("false", "false alarm", anchor, title, facts, first, panels)
        yield "</div>"
    for family in sorted({hit.event.family for hit in hits}):
        mine = [hit for hit in hits if hit.event.family == family]
        mine.sort(key=lambda hit: -hit.delay_us)
        is_open = " open" if len(hits) <= 40 else ""
        yield (
            f'<details class="group"{is_open}><summary>Found: {escape(family)} ({len(mine)}), slowest first'
            '</summary><div class="cards">'
        )
        for hit in mine:
            facts = [
                f"told {words.hit_delay(hit)}",
                _lasted(hit.event.start_us, hit.event.end_us, zone),
                words.size(hit.event.size),
            ]
            title = f"{hit.alert.kind.replace('_', ' ')} at {hit.alert.sensor_id} ({hit.event.id})"
            anchor = f"{_anchor(case)}-hit-{hits.index(hit)}"
            yield _card("hit", "found", anchor, title, facts, hit.alert, pictures.of_hit(hit))
        yield "</div></details>"
    yield "</section>"


def _entries(case: Scored) -> list[Entry]:
    """Everything of the case, for its list."""
    matching, anchor = case.matching, _anchor(case)
    found = []
    for i, event in enumerate(matching.misses):
        note = nearest(event, case.alerts, case.truth.grace_us) or words.meanwhile(
            event, case.alerts, case.truth
        )
        kind, where = event.kind.replace("_", " "), words.places(event.series)
        found.append(
            Entry("miss", "missed", f"{anchor}-miss-{i}", kind, where, event.start_us, None, note)
        )
    for i, episode in enumerate(matching.false_alarms):
        first = episode.alerts[0]
        note = f"during {episode.benign.reason.replace('_', ' ')}" if episode.benign else ""
        began = first.detected_us if first.started_us is None else first.started_us
        found.append(
            Entry("false", "false alarm", f"{anchor}-false-{i}", first.kind.replace("_", " "),
                  first.sensor_id, began, first.detected_us, note)
        )  # fmt: skip
    for i, hit in enumerate(hit for hit in matching.hits if hit.event.scored):
        kind = hit.event.kind.replace("_", " ")
        note = f"{words.hit_delay(hit)}, as {hit.alert.kind.replace('_', ' ')}"
        found.append(
            Entry("hit", "found", f"{anchor}-hit-{i}", kind, hit.alert.sensor_id,
                  hit.event.start_us, hit.alert.detected_us, note)
        )  # fmt: skip
    return found


def _lasted(start_us: int, end_us: int, zone: tzinfo) -> str:
    return f"{words.moment(start_us, zone, year=True)} to {words.moment(end_us, zone)}"


def _table(case: Scored) -> str:
    domain = case.truth.domain
    rows = [figures_row(name, result, domain) for name, result in case.by_family.items()]
    return figures_table(
        [*rows, figures_row("all", case.whole, domain, whole=True)], domain, "family"
    )


def _card(
    kind: str,
    badge: str,
    anchor: str,
    title: str,
    facts: Sequence[str],
    alert: AlertLine | None,
    panels: Sequence[Panel],
) -> str:
    drawn = "".join(draw(panel, f"{badge}: {title}") for panel in panels)
    told = [each for each in facts if each]
    parts = [
        f'<article class="card {kind}" id="{escape(anchor)}">'
        f'<h4><span class="badge">{badge}</span>{escape(title)}</h4>',
        f'<p class="facts">{escape(" · ".join(told))}</p>',
        f'<p class="sentence">{escape(alert.sentence)}</p>' if alert and alert.sentence else "",
        f"{scrolled(title)}{drawn}</div>" if drawn else '<p class="soft">No readings to draw.</p>',
        _decision(alert) if alert else "",
        _evidence(alert.evidence) if alert and alert.evidence else "",
        "</article>",
    ]
    return "".join(parts)


def _decision(alert: AlertLine) -> str:
    """What stood on which side of which limit when a person was told."""
    sides = {">=": "\u2265", "<=": "\u2264"}
    said = [
        f"{check.what} {words.number(check.figure)} {sides[check.side]} {words.number(check.limit)} {check.unit}"
        for check in checks(alert.kind, alert.family, alert.evidence)
    ]
    missing = alert.evidence.get("missing_share")
    if said and isinstance(missing, int | float) and missing > 0:
        said.append(f"{100 * missing:.0f} % of the readings missing")
    text = " · ".join(" ".join(each.split()) for each in said)
    return f'<p class="facts why"><b>Decided by</b> {escape(text)}</p>' if said else ""


def _evidence(evidence: Mapping[str, object]) -> str:
    numbers = evidence.get("numbers")
    flat = {key: value for key, value in evidence.items() if key != "numbers"}
    if isinstance(numbers, Mapping):
        flat |= {str(key): value for key, value in numbers.items()}
    rows = "".join(
        f"<div><dt>{escape(str(key).replace('_', ' '))}</dt><dd>{escape(_shown(value))}</dd></div>"
        for key, value in flat.items()
        if value is not None and not isinstance(value, list | tuple | Mapping)
    )
    return f"<details><summary>The numbers behind it</summary><dl>{rows}</dl></details>"


def _shown(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(float(value))
    return str(value)

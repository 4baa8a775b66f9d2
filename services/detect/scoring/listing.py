"""The list of everything that happened in a case: each event and each false alarm, with a link to its picture.

It can be narrowed to what was missed, told without cause or found by style alone: the page has no script. It refuses
text that is not escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from typing import Final

from services.detect.scoring import words
from services.detect.scoring.alert_lines import AlertLine
from services.detect.scoring.families import finds
from services.detect.scoring.tables import scrolled
from services.detect.scoring.truth import Event, names

_FILTERS: Final = (("all", "everything"), ("miss", "missed"), ("false", "false alarms"), ("hit", "found"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list.

    Attributes:
        kind: "miss", "false" or "hit"; badge: the same for people.
        anchor: of its card.
        what, where: which event or alert, at which sensors.
        at_us: when it began; told_us: when a person knew, None for a miss.
        note: the delay, or what else is to be said in a few words.
    """

    kind: str
    badge: str
    anchor: str
    what: str
    where: str
    at_us: int
    told_us: int | None
    note: str


def listing(entries: Sequence[Entry], group: str, zone: tzinfo) -> str:
    """The list in the order of time; `group` tells the choices of one case from those of another."""
    if not entries:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="{escape(group)}" value="{kind}"{" checked" if kind == "all" else ""}> '
        f"{escape(text)} ({sum(kind in ('all', each.kind) for each in entries)})</label>"
        for kind, text in _FILTERS
    )
    rows = "".join(
        f'<tr class="{each.kind}"><td><span class="badge">{each.badge}</span></td>'
        f'<th scope="row"><a href="#{escape(each.anchor)}">{escape(each.what)}</a></th><td>{escape(each.where)}</td>'
        f"<td>{escape(words.moment(each.at_us, zone, year=True))}</td>"
        f"<td>{escape(words.moment(each.told_us, zone)) if each.told_us is not None else '-'}</td>"
        f"<td>{escape(each.note)}</td></tr>"
        for each in sorted(entries, key=lambda each: (each.at_us, each.anchor))
    )
    head = "".join(
        f'<th scope="col">{each}</th>' for each in ("", "what", "where", "began", "told", "how soon, or why not")
    ).replace("<th scope=\"col\"></th>", "<td></td>", 1)  # fmt: skip
    is_open = " open" if len(entries) <= 40 else ""
    return (
        f'<details class="group list"{is_open}><summary>Everything by time ({len(entries)})</summary>'
        f'<fieldset class="choose"><legend>Show</legend>{choices}</fieldset>'
        f"{scrolled('List')}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def nearest(event: Event, alerts: Iterable[AlertLine], grace_us: int) -> str:
    """Of a missed event, the alert of its family that came nearest without finding it.

    Empty where none came within the event's own length, or the grace of its case, of it.
    """
    mine = [
        (before if (before := event.start_us - each.detected_us) > 0 else each.detected_us - event.end_us, each)
        for each in alerts
        if finds(each.family, event.family) and names(event.series, each.sensor_id)
    ]  # fmt: skip
    if not mine:
        return ""
    away_us, alert = min(mine, key=lambda pair: pair[0])
    if away_us > max(event.end_us - event.start_us, grace_us):
        return ""
    kind = alert.kind.replace("_", " ")
    if alert.detected_us < event.start_us:
        hours = (event.start_us - alert.detected_us) / 3.6e9
        return f"nearest: {kind}, {words.span(hours)} before it began"
    if alert.detected_us > event.end_us:
        hours = (alert.detected_us - event.end_us) / 3.6e9
        return f"nearest: {kind}, {words.span(hours)} after its end"
    return f"nearest: {kind} while it lasted, credited to another event"

"""The tables of the page: figures with their intervals, false alarms by kind, and how soon events were found.

Strings of HTML out; it refuses text that is not escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from typing import Final

from services.detect.scoring import words
from services.detect.scoring.figures import Figures
from services.detect.scoring.intervals import of_count, of_share
from services.detect.scoring.matching import Episode

_WIDE, _ROW, _LEFT, _RIGHT = 680, 26, 110, 20
_TICKS: Final = tuple(
    hours / 60 if minutes else hours
    for minutes, hours in (
        (1, 1), (1, 5), (1, 15), (0, 1), (0, 4), (0, 12), (0, 24), (0, 72), (0, 168), (0, 720), (0, 2160),
    )
)  # fmt: skip


def scrolled(what: str, more: str = "") -> str:
    """The start of what may be wider than its place: it scrolls, by keys too."""
    return f'<div class="wide{more}" tabindex="0" role="group" aria-label="{escape(what)}">'


def figures_table(rows: Sequence[str], domain: str, first: str) -> str:
    """A table of rows of `figures_row`; `first` heads the names."""
    head = (
        first, "events", "found", "recall", "precision", "false alarms", words.density_unit(domain),
        "median time to detect", "nine in ten within",
    )  # fmt: skip
    cells = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    return (
        f"{scrolled('Figures')}<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        '<p class="soft small">Small figures: 95 % intervals (Wilson for shares, Poisson for counts). What lies within '
        "them may be chance.</p>"
    )


def figures_row(
    name: str, result: Figures, domain: str, *, whole: bool = False, link: str = ""
) -> str:
    """The figures of a family or case."""
    told = result.found + result.false_alarms
    watched = result.days if domain == "traffic" else result.sensor_days / 1000
    low, high = (each / watched if watched else 0.0 for each in of_count(result.false_alarms))
    cells = (
        f"{result.events}", f"{result.found}",
        escape(words.share(result.recall)) + _between(of_share(result.found, result.events)),
        escape(words.share(result.precision)) + _between(of_share(result.found, told)),
        f"{result.false_alarms}",
        escape(words.density(result, domain)) + (f"<small>{low:.2f}-{high:.2f}</small>" if watched else ""),
        escape(words.span(result.median_h)), escape(words.span(_ninth(result.delays_h))),
    )  # fmt: skip
    first = f'<a href="{escape(link)}">{escape(name)}</a>' if link else escape(name)
    mark = ' class="whole"' if whole else ""
    return f'<tr{mark}><th scope="row">{first}</th>{"".join(f"<td>{each}</td>" for each in cells)}</tr>'


def _between(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    return f"<small>{words.share(interval[0])}-{words.share(interval[1])}</small>"


def _ninth(delays_h: Sequence[float]) -> float | None:
    """By when nine in ten of those that were found were found."""
    return delays_h[-(-9 * len(delays_h) // 10) - 1] if delays_h else None


def false_alarms_table(episodes: Sequence[Episode]) -> str:
    """False alarms by kind and by what was going on; nothing where there is none."""
    if not episodes:
        return ""
    of = Counter(
        (
            each.alerts[0].kind.replace("_", " "),
            f"during {each.benign.reason.replace('_', ' ')}" if each.benign else "nothing known",
        )
        for each in episodes
    )
    sensors = {
        key: len({e.alerts[0].sensor_id for e in episodes if e.alerts[0].kind.replace("_", " ") == key[0]})
        for key in of
    }  # fmt: skip
    rows = "".join(
        f'<tr><th scope="row">{escape(kind)}</th><td>{escape(what)}</td><td>{n}</td><td>{sensors[kind, what]}</td></tr>'
        for (kind, what), n in of.most_common()
    )
    head = "".join(
        f'<th scope="col">{each}</th>'
        for each in ("told without cause", "what was going on", "how often", "sensors")
    )  # fmt: skip
    begin = scrolled("False alarms by kind", " list")
    return f"{begin}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def delays_plot(families: Mapping[str, Figures]) -> str:
    """A dot for each event that was found, by the time until a person knew; nothing where none was."""
    shown = {name: each.delays_h for name, each in families.items() if each.delays_h}
    if not shown:
        return ""
    least = 1 / 60
    far = max(max(hours) for hours in shown.values())
    ticks = [tick for tick in _TICKS if tick <= far * 1.3] or [least]
    top = log10(max(far, ticks[-1], 2 * least) / least)

    def x(hours: float) -> float:
        return _LEFT + log10(max(hours, least) / least) / top * (_WIDE - _LEFT - _RIGHT)

    bottom = _ROW * len(shown) + 6
    parts = [
        f'<svg viewBox="0 0 {_WIDE} {bottom + 22}" role="img" aria-label="Time to detect of each event that was found, '
        'by family, on a logarithmic axis">'
    ]
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{x(tick):.1f} 4V{bottom}"/>')
        label = f"{60 * tick:.0f} min" if tick < 1 else words.span(tick).replace(".0", "")
        label = "1 h" if tick == 1 else label
        parts.append(
            f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>'
        )
    for i, (name, hours) in enumerate(shown.items()):
        y = _ROW * i + _ROW / 2 + 4
        parts.append(f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        parts += [f'<circle class="dot" cx="{x(each):.1f}" cy="{y}" r="4"/>' for each in hours]
        middle = hours[len(hours) // 2]
        parts.append(f'<path class="told" d="M{x(middle):.1f} {y - 9}v18"/>')
    return (
        '<h3>Time to detect</h3><p class="soft small">A dot for each event that was found; the stroke is the median.'
        f"</p>{scrolled('Times to detect', ' strip')}{''.join(parts)}</svg></div>"
    )

"""The table of compared configurations and the proposal, as text: TOML whose comments say why, and what speaks against.

It refuses to compare: `tune` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from services.detect.recorded.outcomes import FEW, differences, halves, tally
from services.detect.recorded.tune import Point, Prices, holds, proposal
from services.detect.scoring import words

NOTHING_BETTER: Final = "Nothing here finds as much as the present configuration for less."
_HEAD: Final = (
    "",
    "found",
    "missed",
    "false alarms",
    "not judged",
    "median time to detect",
    "cost",
    "",
)
_JUDGED, _COST = 4, 6
_MOST: Final = 12
"""Lines of single events; the others are counted."""


def table(points: Sequence[Point], prices: Prices | None, complete: bool) -> Iterator[str]:
    """A line for each configuration, the cheapest first, and what the mark means.

    Args:
        complete: all is known of the histories; then there is nothing that nobody has judged.
    """
    rows = [_HEAD, *(_row(point, prices) for point in _ordered(points, prices))]
    kept = [
        i
        for i in range(len(_HEAD))
        if not (i == _JUDGED and complete) and not (i == _COST and prices is None)
    ]
    widths = {i: max(len(row[i]) for row in rows) for i in kept}
    for row in rows:
        cells = [row[i].rjust(widths[i]) for i in kept[1:]]
        yield "  ".join([row[0].ljust(widths[0]), *cells]).rstrip()
    yield "* no other one is better in one respect and as good in the others"


def _ordered(points: Sequence[Point], prices: Prices | None) -> Sequence[Point]:
    if prices is None:
        return sorted(points, key=lambda each: each.cost)
    return sorted(points, key=lambda each: (prices.of(tally(each.outcomes)), each.cost))


def _row(point: Point, prices: Prices | None) -> tuple[str, ...]:
    return (
        point.configuration.name,
        f"{point.figures.found} of {point.figures.events}",
        f"{point.missed}",
        f"{point.false_alarms}",
        f"{point.unjudged}",
        words.span(point.figures.median_h),
        "" if prices is None else f"{prices.of(tally(point.outcomes)):,.0f}",
        "*" if point.front else "",
    )


def proposed(points: Sequence[Point], prices: Prices | None = None) -> str | None:
    """The proposal as a settings file whose comments explain it; None where nothing is better than the present one."""
    best, present = proposal(points, prices), points[0]
    if best is present or best.cost == present.cost:
        return None
    lines = [
        *_reasons(present, best, prices),
        *_changes(present, best),
        *_doubts(points, best, prices),
    ]
    settings = [f"{name} = {value:g}" for name, value in best.configuration.changes.items()]
    return "\n".join([*(f"# {line}" for line in lines), "[detectors]", *settings])


def _reasons(present: Point, best: Point, prices: Prices | None) -> Iterator[str]:
    yield (
        f"For a person to decide: {best.configuration.name} finds {best.figures.found} of "
        f"{best.figures.events} with {best.false_alarms} false alarms, median "
        f"{words.span(best.figures.median_h)}; now {present.figures.found} with "
        f"{present.false_alarms}, {words.span(present.figures.median_h)}."
    )
    if prices is not None:
        cost, now = (prices.of(tally(point.outcomes)) for point in (best, present))
        yield (
            f"It costs least: {cost:,.0f} instead of {now:,.0f}, with {prices.false_alarm:g} for a false alarm, "
            f"{prices.missed:g} for a missed event and {prices.hour:g} for each hour until one is told."
        )


def _changes(present: Point, best: Point) -> Iterator[str]:
    lines = list(differences(present.outcomes, best.outcomes))
    yield from (f"  {line}" for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield f"  and {len(lines) - _MOST} changes more"


def _doubts(points: Sequence[Point], best: Point, prices: Prices | None) -> Iterator[str]:
    """What a person should know before believing it."""
    present = points[0]
    judged = present.figures.events + present.false_alarms
    if judged < FEW:
        yield (
            f"Careful: it rests on {present.figures.events} events and {present.false_alarms} false alarms; "
            "one more or less may be chance."
        )
    sides = [
        f"{then.found} of {then.events} with {then.false_alarms} false alarms "
        f"(now {now.found} with {now.false_alarms})"
        for now, then in zip(halves(present.outcomes), halves(best.outcomes), strict=True)
    ]
    yield f"One half of the sensors: {sides[0]}; the other half: {sides[1]}."
    if not all(holds(present, best, prices)):
        yield "Careful: it is better in one half and worse in the other, so it may fit these cases only."
    if len(points) > 2:
        yield (
            f"It is the best of {len(points)} that were tried on the same cases, so expect less of it on others; "
            "try it on a time that was not used here."
        )

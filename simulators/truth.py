"""The truth about simulated events, as plain data in the form of the practice set's truth.json."""

from __future__ import annotations

from collections.abc import Sequence

from services.domain.instant import isoformat


def event(
    name: str, kind: str, series: Sequence[str], window: tuple[int, int], size: dict[str, float]
) -> dict[str, object]:
    """One event that a detector should find."""
    return {
        "id": name,
        "series": list(series),
        "start": isoformat(window[0]),
        "end": isoformat(window[1]),
        "kind": kind,
        "size": size,
        "scored": True,
    }


def harmless(kind: str, series: Sequence[str], window: tuple[int, int]) -> dict[str, object]:
    """One stretch of time in which an alarm would be false for a known reason."""
    return {
        "series": list(series),
        "start": isoformat(window[0]),
        "end": isoformat(window[1]),
        "kind": kind,
    }


def case(
    domain: str,
    interval_s: int,
    evaluated: tuple[int, int],
    sensors: Sequence[dict[str, object]],
    events: Sequence[dict[str, object]],
    *,
    merge_h: float,
    grace_h: float,
) -> dict[str, object]:
    """The truth of one model; `evaluated` is [start, end) in microseconds, what is before it is warm-up."""
    return {
        "case": f"simulated/{domain}",
        "domain": domain,
        "interval_s": interval_s,
        "source": "simulated by citygauge simulate",
        "eval_start": isoformat(evaluated[0]),
        "eval_end": isoformat(evaluated[1]),
        "sensors": list(sensors),
        "fa_merge_hours": merge_h,
        "match_grace_hours": grace_h,
        "events": list(events),
        "ignore": [],
        "benign": [],
    }

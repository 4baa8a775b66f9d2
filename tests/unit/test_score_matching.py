"""Alerts are credited to events by family, sensor and the moment of telling; the rest are episodes of false alarm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.detect.scoring.alert_lines import AlertLine, parse_alerts
from services.detect.scoring.families import Family, family_of, finds
from services.detect.scoring.matching import Matching, match
from services.detect.scoring.truth import Truth, parse_truth
from services.domain.condition import Rule
from services.domain.errors import InvalidInput
from services.domain.instant import parse_time


def truth(**changes: Any) -> Truth:
    """May 2026, two meters, a leak at A from the 10th to the 12th; an hour of grace, a day between episodes."""
    return parse_truth(
        {
            "case": "made",
            "domain": "water",
            "eval_start": "2026-05-01T00:00:00Z",
            "eval_end": "2026-05-31T00:00:00Z",
            "match_grace_hours": 1,
            "fa_merge_hours": 24,
            "events": [event("leak", "A", "10", "12")],
            **changes,
        }
    )


def event(kind: str, series: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "id": more.pop("id", f"{kind}-{series}-{start}"),
        "series": [series],
        "start": f"2026-05-{start}T00:00:00Z",
        "end": f"2026-05-{end}T00:00:00Z",
        "kind": kind,
        **more,
    }


def alert(when: str, sensor: str = "A", kind: str = "burst") -> AlertLine:
    """When: '10T06:30' in May 2026."""
    at = parse_time(f"2026-05-{when}:00Z")
    return AlertLine(sensor, kind, family_of(kind), at)


def told(result: Matching) -> tuple[int, int, int, int]:
    """Hits, false alarms, duplicates, ignored."""
    return len(result.hits), len(result.false_alarms), result.duplicates, result.ignored


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("09T23:59", (0, 1, 0, 0)),
        ("10T00:00", (1, 0, 0, 0)),
        ("12T01:00", (1, 0, 0, 0)),
        ("12T01:01", (0, 1, 0, 0)),
    ],
)
def test_an_alert_finds_an_event_while_it_lasts_and_a_grace_after(
    when: str, expected: tuple[int, int, int, int]
) -> None:
    assert told(match(truth(), [alert(when)])) == expected


def test_another_sensor_or_family_is_a_false_alarm_and_the_event_stays_missed() -> None:
    result = match(truth(), [alert("10T06:00", "B"), alert("10T06:00", kind="backflow")])
    assert told(result) == (0, 2, 0, 0)
    assert [each.id for each in result.misses] == ["leak-A-10"]


def test_the_first_alert_is_the_detection_and_the_others_are_free() -> None:
    result = match(truth(), [alert("11T00:00"), alert("10T06:00"), alert("10T18:00")])
    assert told(result) == (1, 0, 2, 0)
    assert result.hits[0].delay_us == 6 * 3600 * 1_000_000


def test_false_alarms_close_to_each_other_are_one_episode_of_a_sensor_and_family() -> None:
    close = [alert("01T00:00"), alert("02T00:00"), alert("02T23:59")]
    assert told(match(truth(), close)) == (0, 1, 0, 0)
    assert len(match(truth(), close).false_alarms[0].alerts) == 3
    apart = [alert("01T00:00"), alert("02T00:01"), alert("01T00:00", "B")]
    assert told(match(truth(), apart)) == (0, 3, 0, 0)


def test_nothing_is_judged_before_the_start_after_the_end_or_at_sensors_that_do_not_count() -> None:
    early = AlertLine("A", "burst", "leak", parse_time("2026-04-30T23:59:59Z"))
    late = AlertLine("A", "burst", "leak", parse_time("2026-05-31T01:00:01Z"))
    assert match(truth(), [early, late]).judged == 0
    assert match(truth(score_sensors=["B"]), [alert("10T06:00")]).judged == 0


def test_where_truth_is_unknown_an_alert_of_that_family_costs_nothing() -> None:
    window = {
        "series": ["A"],
        "families": ["leak"],
        "start": "2026-05-20T00:00:00Z",
        "end": "2026-05-21T00:00:00Z",
    }
    unknown = truth(ignore=[window])
    alerts = [alert("20T12:00"), alert("20T12:00", kind="backflow"), alert("20T12:00", "B")]
    assert told(match(unknown, alerts)) == (0, 2, 0, 1)


def test_a_false_alarm_in_something_harmless_says_so() -> None:
    holiday = {"series": ["A"], "start": "2026-05-20T00:00:00Z", "end": "2026-05-21T00:00:00Z"}
    result = match(truth(benign=[{**holiday, "kind": "vacation"}]), [alert("21T23:00")])
    benign = result.false_alarms[0].benign
    assert benign is not None
    assert benign.reason == "vacation"


def test_unscored_events_take_alerts_but_are_never_missed() -> None:
    unscored = truth(events=[event("leak", "A", "10", "12", scored=False)])
    assert told(match(unscored, [alert("10T06:00")])) == (1, 0, 0, 0)
    assert match(unscored, []).misses == ()


def test_one_to_one_an_alert_finds_the_latest_open_event_alone() -> None:
    overlapping = truth(
        events=[
            event("dma_leak", "*", "05", "25", id="old"),
            event("dma_leak", "*", "08", "25", id="new"),
        ],
        one_to_one=True,
        dup_days=7,
    )
    times = ["09T00:00", "10T00:00", "11T00:00", "18T00:00"]
    result = match(overlapping, [alert(each, "Z", "dma_leak") for each in times])
    assert [hit.event.id for hit in result.hits] == ["new", "old"]
    assert told(result) == (2, 1, 1, 0), "a week after the last credit an alert is false"


def test_an_event_with_a_deadline_is_found_by_then_or_not() -> None:
    due = truth(events=[event("leak", "A", "10", "20", detect_by="2026-05-11T00:00:00Z")])
    assert told(match(due, [alert("11T01:00")])) == (1, 0, 0, 0)
    assert told(match(due, [alert("11T01:01")])) == (0, 1, 0, 0)


def test_every_rule_of_the_service_has_a_family() -> None:
    assert {family_of(rule.value) for rule in Rule} <= set(Family)
    assert family_of("never heard of") == "never heard of"


def test_one_fault_of_a_station_may_be_called_by_several_names() -> None:
    assert finds("missing", "malfunction")
    assert finds("malfunction", "missing")
    assert not finds("missing", "stuck")
    assert not finds("leak", "burst that is not a family")
    assert finds("anything", "anomaly")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("not json", "a.jsonl line 2"),
        ("[]", "a.jsonl line 2"),
        ('{"sensor_id": "A", "kind": "leak"}', "a.jsonl line 2"),
        ('{"sensor_id": "A", "kind": "leak", "detected_at": "yesterday"}', "time"),
        (
            '{"sensor_id": "A", "kind": "leak", "detected_at": "2026-05-01T00:00:00Z", "score": "high"}',
            "line 2",
        ),
    ],
)
def test_a_line_that_is_no_alert_is_named(line: str, named: str) -> None:
    good = json.dumps({"sensor_id": "A", "kind": "leak", "detected_at": "2026-05-01T00:00:00Z"})
    with pytest.raises(InvalidInput, match=named):
        parse_alerts([good, line], "a.jsonl")


@pytest.mark.parametrize("missing", ["eval_start", "eval_end", "events"])
def test_truth_without_a_field_names_it(missing: str) -> None:
    with pytest.raises(InvalidInput, match=missing):
        parse_truth(
            {
                name: value
                for name, value in {
                    "eval_start": "2026-05-01T00:00:00Z",
                    "eval_end": "2026-05-02T00:00:00Z",
                    "events": [],
                }.items()
                if name != missing
            }
        )

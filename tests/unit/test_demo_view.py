"""What the demo shows: every figure that it promises, in wide and in narrow terminals, and no alert cut in two."""

import io
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from services.cli.demo_books import Lag, Snapshot
from services.cli.demo_view import LiveView, PlainView
from services.domain.alert import Alert
from services.domain.condition import Rule, Severity

AT = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
LEAK = (
    "Water has been running without a pause at meter M-17, zone North since Sun 1 Mar 05:00 (26 hours), "
    "never below 45 L/h. First: call the customer and have the stop valve closed for ten minutes."
)
JAM = "Traffic is slow at station A1-12 since Mon 2 Mar 08:10: 21 km/h over five minutes, limit 45 km/h."
FIGURES = [
    "1,234 readings/s",
    "stored 81,234",
    "duplicates 312",
    "rejected 27",
    "in flight 5",
    "sensors reporting 78 of 80",
    "lag p50 12 ms, p99 340 ms",
    "to alert 56 ms",
    "simulated Mon 02 Mar 08:30",
]


def alert(sentence: str, severity: Severity, *, over: bool = False) -> Alert:
    return Alert(
        id=uuid.uuid4(),
        rule=Rule.CONTINUOUS_FLOW,
        subject="M-17",
        version=1,
        severity=severity,
        score=0.9,
        sentence=sentence,
        evidence={},
        started_at=AT - timedelta(days=1),
        raised_at=AT,
        updated_at=AT,
        cleared_at=AT if over else None,
    )


MEASURED = Lag(12.0, 340.0, 56.0, 99.0)


def snapshot(opened: int = 1, lag: Lag = MEASURED) -> Snapshot:
    return Snapshot(
        published=81_578,
        virtual_time=AT,
        received=81_578,
        stored=81_234,
        duplicates=312,
        rejected=27,
        in_flight=5,
        rate=1234.4,
        speaking=(78, 80),
        lag=lag,
        open=[alert(LEAK, Severity.CRITICAL) for _ in range(opened)],
        cleared=[alert(JAM, Severity.WARNING, over=True)],
    )


def shown(given: Snapshot, columns: int, lines: int, *, terminal: bool = False) -> str:
    """The last picture of the view, without its frame and with its lines joined."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=columns,
        height=lines,
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )
    with LiveView(console) as view:
        view.show(given)
    rows = file.getvalue().splitlines()
    assert all(len(row) <= columns for row in rows if "\x1b" not in row)
    inner = " ".join(row.strip("│╭╮╰╯─ ") for row in rows)
    return " ".join(inner.split())


@pytest.mark.parametrize("columns", [200, 80, 34])
def test_every_figure_is_shown_whole_at_any_width(columns: int) -> None:
    text = shown(snapshot(), columns, 60)
    for figure in FIGURES:
        assert figure in text
    assert "Open alerts: 1" in text
    for sentence in (LEAK, JAM):
        assert set(sentence.split()) <= set(text.split())
    assert "critical Water has been" in text
    assert "cleared Traffic is slow" in text


def test_a_wide_terminal_has_each_sentence_in_one_line() -> None:
    text = shown(snapshot(), 240, 60)
    assert f"critical {LEAK}" in text
    assert f"cleared {JAM}" in text


@pytest.mark.parametrize("lines", [24, 14])
def test_a_low_terminal_shows_fewer_alerts_and_says_how_many_more(lines: int) -> None:
    given = snapshot(opened=12)
    text = shown(given, 80, lines, terminal=True)
    for figure in FIGURES:
        assert figure in text
    assert "Open alerts: 12" in text
    count = text.count("Water has been running")
    assert 1 <= count < 8
    assert f"… and {12 - count} more" in text
    assert "ten minutes." in text


def test_a_lag_that_was_not_measured_is_not_zero() -> None:
    assert "lag not yet measured" in shown(snapshot(lag=Lag()), 80, 60)
    text = shown(snapshot(lag=Lag(3.0, 4.0)), 80, 60)
    assert "lag p50 3 ms, p99 4 ms" in text
    assert "to alert" not in text


def queue() -> tuple[Alert, list[Alert]]:
    """An accident and the two stations' congestion before it: one event, told by the accident."""
    first, second = (alert(f"{JAM} {i}", Severity.WARNING) for i in range(2))
    accident = alert("Traffic stands still at A1-13.", Severity.CRITICAL)
    members = [replace(each, group_id=first.id) for each in (accident, second, first)]
    return members[0], members


def test_an_event_of_many_alerts_is_one_entry_led_by_its_worst() -> None:
    accident, members = queue()
    text = shown(replace(snapshot(), open=members), 240, 60)
    assert "Open alerts: 1" in text
    assert f"critical {accident.sentence} 2 more alerts of the same event" in text
    assert JAM + " 0" not in text


def test_plain_lines_tell_an_event_when_it_begins_worsens_and_is_over() -> None:
    accident, members = queue()
    file = io.StringIO()
    ended = [replace(each, cleared_at=AT) for each in members]
    with PlainView(file) as view:
        for opened, cleared in (
            (members[2:], []),
            (members[1:], []),
            (members, []),
            (members[1:], ended[:1]),
            ([], ended),
            ([], ended),
        ):
            view.show(replace(snapshot(), open=opened, cleared=cleared))
    told = [line.strip() for line in file.getvalue().splitlines() if line.startswith("  ")]
    assert told == [
        f"WARNING: {members[2].sentence}",
        f"CRITICAL: {accident.sentence}",
        f"cleared: {accident.sentence}",
    ]


def test_plain_lines_tell_each_alert_once_when_it_begins_and_once_when_it_ends() -> None:
    file = io.StringIO()
    given = snapshot()
    with PlainView(file) as view:
        view.show(given)
        view.show(given)
    text = file.getvalue()
    assert text.count(f"CRITICAL: {LEAK}") == 1
    assert text.count(f"cleared: {JAM}") == 1
    line = text.splitlines()[-1]
    for figure in ("1234 readings/s", "lag p50 12 ms", "stored 81,234", "rejected 27", "78/80"):
        assert figure in line

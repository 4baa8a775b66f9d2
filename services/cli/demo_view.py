"""How the demo shows itself: a live view in a terminal, plain lines elsewhere. It decides nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self, TextIO
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.demo_books import Lag, Snapshot
from services.domain.alert import Alert
from services.domain.condition import Severity

_ZONE: Final = ZoneInfo("Europe/Madrid")
_COLOURS: Final = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_SHOWN: Final = 8
_CLEARED: Final = 3
_LINE_S: Final = 2.0
_OVER: Final = -1


class View(Protocol):
    """What shows a demo."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, sentence: str) -> None:
        """A step of the start or the end."""

    def show(self, snapshot: Snapshot) -> None:
        """How things stand."""


class LiveView:
    """A view that draws itself anew in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running:
            self._live.stop()

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        if not self._running:
            self._live.start()
            self._running = True
        self._live.update(_Board(snapshot))


class PlainView:
    """Lines, one every two seconds, and each event once when it begins, when it worsens and when all of it is over."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._due = 0.0
        self._told: dict[uuid.UUID, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.flush()

    def say(self, sentence: str) -> None:
        print(sentence, file=self._file, flush=True)

    def show(self, snapshot: Snapshot) -> None:
        opened = _events(snapshot.open)
        for event in reversed(opened):
            alert, rank = event[0], event[0].severity.rank
            if self._told.get(_event_id(alert), _OVER) < rank:
                self._told[_event_id(alert)] = rank
                self.say(f"  {alert.severity.upper()}: {alert.sentence}")
        for event in reversed(_events(snapshot.cleared)):
            group = _event_id(event[0])
            if self._told.get(group) != _OVER and all(
                _event_id(each[0]) != group for each in opened
            ):
                self._told[group] = _OVER
                self.say(f"  cleared: {event[0].sentence}")
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _LINE_S
        self.say(
            f"{_local(snapshot)}  {snapshot.rate:.0f} readings/s  {_lag(snapshot.lag)}  "
            f"stored {snapshot.stored:,}  duplicates {snapshot.duplicates}  "
            f"rejected {snapshot.rejected}  in flight {snapshot.in_flight}  "
            f"sensors {snapshot.speaking[0]}/{snapshot.speaking[1]}  "
            f"open alerts {len(opened)}"
        )


class _Board:
    """The demo at one moment, as wide as the terminal and never higher: first it leaves out the oldest alerts."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = _SHOWN
        while console.is_terminal and shown > 1:
            lines = console.render_lines(_panel(self._snapshot, shown), options, pad=False)
            if len(lines) <= console.height:
                break
            shown -= 1
        yield _panel(self._snapshot, shown)


def _event_id(alert: Alert) -> uuid.UUID:
    return alert.group_id or alert.id


def _events(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Alerts of one event together, in the order of the events' first; the worst, then the first told, leads."""
    events: dict[uuid.UUID, list[Alert]] = {}
    for alert in alerts:
        events.setdefault(_event_id(alert), []).append(alert)
    for members in events.values():
        members.sort(key=lambda alert: (-alert.severity.rank, alert.raised_at))
    return list(events.values())


def _panel(snapshot: Snapshot, shown: int) -> RenderableType:
    opened = _events(snapshot.open)
    going_on = {_event_id(event[0]) for event in opened}
    cleared = [event for event in _events(snapshot.cleared) if _event_id(event[0]) not in going_on]
    parts: list[RenderableType] = [
        Columns([Text.from_markup(figure) for figure in _figures(snapshot)], padding=(0, 3)),
        Text(),
        Text(f"Open alerts: {len(opened)}", style="bold"),
        *_sentences(opened, shown=shown),
    ]
    if cleared:
        parts += [Text(), Text("Cleared lately", style="bold")]
        parts += _sentences(cleared, shown=min(shown, _CLEARED), style="green")
    return Panel(Group(*parts), title="Citygauge demo", subtitle="Ctrl-C stops everything")


def _figures(snapshot: Snapshot) -> list[str]:
    """Every figure with its word, none wider than a narrow terminal."""
    lag = snapshot.lag
    figures = [
        f"simulated {_local(snapshot)}",
        f"[bold]{snapshot.rate:,.0f}[/] readings/s",
        f"stored [bold]{snapshot.stored:,}[/]",
        f"duplicates {snapshot.duplicates:,}",
        f"rejected {snapshot.rejected:,}",
        f"in flight {snapshot.in_flight:,}",
        f"sensors reporting [bold]{snapshot.speaking[0]:,}[/] of {snapshot.speaking[1]:,}",
    ]
    if lag.p50 is None:
        return [*figures, "lag not yet measured"]
    figures.append(f"lag p50 {lag.p50:.0f} ms, p99 {lag.p99:.0f} ms")
    if lag.alert_p50 is not None:
        figures.append(f"to alert {lag.alert_p50:.0f} ms")
    return figures


def _sentences(
    events: Sequence[Sequence[Alert]], *, shown: int, style: str | None = None
) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for alert, *others in events[:shown]:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=9)
        grid.add_column()
        colour = style or _COLOURS[alert.severity]
        word = alert.severity.value if alert.active else "cleared"
        grid.add_row(Text(word, style=colour), Text(alert.sentence))
        if others:
            many = f"{len(others)} more alerts" if len(others) > 1 else "1 more alert"
            grid.add_row("", Text(f"{many} of the same event", style="dim"))
        lines.append(grid)
    if len(events) > shown:
        lines.append(Text(f"… and {len(events) - shown} more", style="dim"))
    return lines


def _lag(lag: Lag) -> str:
    if lag.p50 is None:
        return "lag not yet measured"
    text = f"lag p50 {lag.p50:.0f} ms, p99 {lag.p99:.0f} ms"
    return text if lag.alert_p50 is None else f"{text}, to alert {lag.alert_p50:.0f} ms"


def _local(snapshot: Snapshot) -> str:
    return f"{snapshot.virtual_time.astimezone(_ZONE):%a %d %b %H:%M}"

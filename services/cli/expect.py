"""`citygauge expect`: what people know to be harmless, and works in the street: tell it, list it, end it."""

from __future__ import annotations

import getpass
import re
import uuid
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

import typer

from services.cli.listing import listing, print_listing
from services.cli.process import database_url
from services.cli.times import time_of
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.errors import InvalidInput
from services.domain.suppression import SuppressionKind

if TYPE_CHECKING:
    from services.domain.suppression import Suppression, WeeklyHours

app = typer.Typer(
    no_args_is_help=True,
    help="Say what to expect, so that nobody is told of it: exemptions (a flushed hydrant, a vacant home) and "
    "maintenance windows (works in a street). Its alerts are kept and shown, and what outlasts it is told.",
)
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"(?:([a-z,]+) )?(\d\d:\d\d)-(\d\d:\d\d)")
_FIELDS: Final = {
    "subjects": "--subject",
    "zone": "--zone",
    "road": "--road",
    "ends_at": "--until",
    "time_zone": "--time-zone",
    "reason": "--reason",
}


@app.command("add")
def add(
    kind: SuppressionKind = typer.Argument(
        help="exemption: known and harmless. maintenance: works, which explain what begins while they last."
    ),
    until: str = typer.Option(help="Until when (2027-01-01T00:00:00Z), at most three years ahead."),
    reason: str = typer.Option(help="Why, for colleagues."),
    subject: list[str] = typer.Option(
        [], help="Only this sensor, feed/water or gateway/NAME; repeat it for several."
    ),
    rule: list[Rule] = typer.Option([], help="Only alerts of this rule; repeat it for several."),
    domain: Domain | None = typer.Option(None, help="Only of this domain."),
    zone: str | None = typer.Option(None, help="Only in this zone."),
    road: str | None = typer.Option(None, help="Only on this road."),
    from_: str | None = typer.Option(
        None, "--from", metavar="TIME", help="From when; now when not given."
    ),
    hours: list[str] = typer.Option(
        [],
        help='Only at these hours of the week, local time: "tue,thu 09:00-11:00", or "22:00-06:00" for every day; '
        "repeat it for several.",
    ),
    time_zone: str | None = typer.Option(
        None, help="IANA zone of --hours; that of the sensors when not given."
    ),
    by: str | None = typer.Option(
        None, help="Who says so, for the log; your user's name when not given."
    ),
) -> None:
    """Say what to expect, where, when and why. It holds at once; its id is printed."""
    from services.domain.instant import from_us
    from services.store.alerting.expectations import Expectation, expect
    from services.store.connection import connect

    asked = Expectation(
        subjects=subject,
        rules=rule,
        domain=domain,
        zone=zone,
        road=road,
        starts_at=None if from_ is None else from_us(time_of("--from", from_)),
        ends_at=from_us(time_of("--until", until)),
        hours=[_hours(each) for each in hours],
        time_zone=time_zone,
        reason=reason,
    )
    with connect(database_url(), "citygauge-expect", autocommit=True) as conn:
        try:
            made = expect(conn, kind, asked, by or _user(), datetime.now(UTC))
        except InvalidInput as error:
            named = _FIELDS.get(error.field, error.field)
            raise InvalidInput(named, error.value, error.allowed) from None
    typer.echo(made.id)


@app.command("list")
def list_(
    everything: bool = typer.Option(False, "--all", help="Also what is over."),
    limit: int = typer.Option(100, min=1, max=1000, help="At most so many of each kind."),
) -> None:
    """List what is expected, the newest first, with how many open alerts each holds back now."""

    from services.store.alerting.suppressions import SuppressionRepository
    from services.store.connection import connect

    now = datetime.now(UTC)
    table = listing("id", "kind", "what", "until", "hours", "holds", "reason", whole="id")
    with connect(database_url(), "citygauge-expect", autocommit=True) as conn:
        repository = SuppressionRepository(conn)
        for kind in SuppressionKind:
            page = repository.page(kind, limit=limit, live_at=None if everything else now)
            held = repository.held(page.items)
            for each in page.items:
                row = (_what(each), _until(each, now), _week(each), str(held[each.id]), each.reason)
                table.add_row(str(each.id), kind.value, *row)
            if page.next:
                typer.echo(f"More than {limit} of {kind.value}; give a larger --limit.", err=True)
    print_listing(table)


@app.command("end")
def end(
    id_: uuid.UUID = typer.Argument(metavar="ID", help="The id that `expect list` shows."),
    comment: str | None = typer.Option(None, help="Why."),
    by: str | None = typer.Option(
        None, help="Who ends it, for the log; your user's name when not given."
    ),
) -> None:
    """End one before its time. What it held back and is still there is told."""
    from services.store.alerting.expectations import end as finish
    from services.store.alerting.suppressions import SuppressionRepository
    from services.store.connection import connect

    with connect(database_url(), "citygauge-expect", autocommit=True) as conn:
        kind = SuppressionRepository(conn).kind_of(id_)
        finish(conn, kind, id_, by or _user(), datetime.now(UTC), comment=comment)
    typer.echo(f"{kind.value} {id_} is ended")


def _hours(text: str) -> WeeklyHours:
    from services.domain.suppression import WeeklyHours

    rule = '"tue,thu 09:00-11:00", or "22:00-06:00" for every day'
    match = _HOURS.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidInput("--hours", text, rule)
    try:
        start, stop = time.fromisoformat(match[2]), time.fromisoformat(match[3])
        days = {_DAYS.index(day) + 1 for day in (match[1] or ",".join(_DAYS)).split(",")}
    except ValueError:
        raise InvalidInput("--hours", text, rule) from None
    return WeeklyHours(tuple(sorted(days)), start, stop)


def _user() -> str:
    """Who runs the command; a container's account may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "citygauge expect"


def _what(each: Suppression) -> str:
    parts = [*each.subjects, *(rule.value for rule in each.rules)]
    parts += [part for part in (each.domain, each.zone, each.road) if part]
    return ", ".join(parts)


def _until(each: Suppression, now: datetime) -> str:
    over = min(each.ends_at, each.ended_at or each.ends_at)
    if over <= now:
        return f"over since {over:%Y-%m-%d %H:%M}Z"
    begins = f"from {each.starts_at:%Y-%m-%d %H:%M}Z " if each.starts_at > now else ""
    return f"{begins}until {over:%Y-%m-%d %H:%M}Z"


def _week(each: Suppression) -> str:
    spans = [
        f"{','.join(_DAYS[day - 1] for day in hours.days)} {hours.start:%H:%M}-{hours.end:%H:%M}"
        for hours in each.hours
    ]
    return "\n".join(spans) + (f" {each.time_zone}" if spans else "always")

"""Exemptions and maintenance windows: made, ended, listed. Each of both acts is an event that nothing changes again.

It refuses to change one: end it and make another, so that what held an alert back stays as it was.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, time
from typing import Any, Final, LiteralString

from services.domain.alert_event import MACHINES
from services.domain.catalogue import Domain
from services.domain.condition import Rule
from services.domain.errors import InvalidInput, UnknownSuppression
from services.domain.instant import to_us
from services.domain.suppression import Suppression, SuppressionKind, WeeklyHours
from services.store.alerting.alert_statements import plain
from services.store.connection import Connection, transaction
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.text import storable

_COLUMNS: Final[LiteralString] = (
    "id, kind, subjects, rules, domain, zone, road, starts_at, ends_at, hours, time_zone, reason, created_at, "
    "created_by, ended_at, ended_by"
)
INSERT: Final[LiteralString] = f"""
    INSERT INTO suppression ({_COLUMNS}) VALUES (%(id)s, %(kind)s, %(subjects)s, %(rules)s, %(domain)s, %(zone)s,
        %(road)s, %(starts_at)s, %(ends_at)s, %(hours)s::jsonb, %(time_zone)s, %(reason)s, %(created_at)s,
        %(created_by)s, %(ended_at)s, %(ended_by)s)
"""
END: Final[LiteralString] = "UPDATE suppression SET ended_at = %s, ended_by = %s WHERE id = %s"
RECORD: Final[LiteralString] = """
    INSERT INTO suppression_event (suppression_id, kind, at, actor, data) VALUES (%s, %s, %s, %s, %s::jsonb)
"""
GET: Final[LiteralString] = f"SELECT {_COLUMNS} FROM suppression WHERE id = %s"
GET_LOCKED: Final[LiteralString] = f"{GET} FOR UPDATE"
UNENDED: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM suppression WHERE ended_at IS NULL AND ends_at > %s ORDER BY created_at, id
"""
PAGE: Final[LiteralString] = f"""
    SELECT {_COLUMNS} FROM suppression
     WHERE kind = %(kind)s
       AND (%(us)s::bigint IS NULL
            OR (created_at, id) < (timestamptz 'epoch' + %(us)s * interval '1 us', %(id)s::uuid))
       AND (%(at)s::timestamptz IS NULL OR (ended_at IS NULL AND ends_at > %(at)s))
     ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
HELD: Final[LiteralString] = """
    SELECT suppressed_by, count(*)::bigint FROM alert
     WHERE suppressed_by = ANY(%s) AND cleared_at IS NULL AND resolved_at IS NULL GROUP BY suppressed_by
"""
EVENTS: Final[LiteralString] = """
    SELECT kind, at, actor, data FROM suppression_event WHERE suppression_id = %s ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class SuppressionEvent:
    """One entry of its log: kind "created" or "ended", with what was said."""

    kind: str
    at: datetime
    actor: str
    data: dict[str, object]


def unended(conn: Connection, since: datetime) -> Sequence[Suppression]:
    """Every one that nobody has ended and whose time is not over at `since`, whether it has begun or not."""
    return [_of_row(row) for row in conn.execute(UNENDED, (since,))]


class SuppressionRepository:
    """Exemptions and maintenance windows over one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def create(self, suppression: Suppression) -> Suppression:
        """Writes a new one, and that it was made."""
        made = replace(
            suppression,
            subjects=tuple(map(storable, suppression.subjects)),
            reason=storable(suppression.reason),
            created_by=storable(suppression.created_by),
        )
        if made.created_by in MACHINES:
            raise InvalidInput("actor", made.created_by, "a person's name")
        values = _values(made)
        with transaction(self._conn):
            self._conn.execute(INSERT, values)
            facts = {name: plain(value) for name, value in values.items() if name != "hours"}
            data = json.dumps({**facts, "hours": json.loads(values["hours"])})
            self._conn.execute(RECORD, (made.id, "created", made.created_at, made.created_by, data))
        return made

    def end(
        self, kind: SuppressionKind, id_: uuid.UUID, actor: str, at: datetime, comment: str | None
    ) -> Suppression:
        """Ends it before its time.

        Raises:
            UnknownSuppression: there is none of this kind and id. InvalidInput: it is over already.
        """
        with transaction(self._conn):
            found = self._one(GET_LOCKED, kind, id_)
            if found.ended_at is not None or found.ends_at <= at:
                over = min(found.ends_at, found.ended_at or found.ends_at)
                raise InvalidInput("id", str(id_), f"one that is not over; this one ended {over}")
            data = json.dumps({} if comment is None else {"comment": storable(comment)})
            self._conn.execute(END, (at, storable(actor), id_))
            self._conn.execute(RECORD, (id_, "ended", at, storable(actor), data))
        return replace(found, ended_at=at, ended_by=storable(actor))

    def get(self, kind: SuppressionKind, id_: uuid.UUID) -> Suppression:
        """The one of this kind and id. Raises UnknownSuppression."""
        return self._one(GET, kind, id_)

    def kind_of(self, id_: uuid.UUID) -> SuppressionKind:
        """What the one of this id is. Raises UnknownSuppression."""
        row = self._conn.execute(GET, (id_,)).fetchone()
        if row is None:
            raise UnknownSuppression("exemption or maintenance window", str(id_))
        return SuppressionKind(row[1])

    def _one(self, statement: LiteralString, kind: SuppressionKind, id_: uuid.UUID) -> Suppression:
        row = self._conn.execute(statement, (id_,)).fetchone()
        if row is None or row[1] != kind.value:
            raise UnknownSuppression(kind.value, str(id_))
        return _of_row(row)

    def page(
        self,
        kind: SuppressionKind,
        *,
        limit: int,
        live_at: datetime | None = None,
        after: str | None = None,
    ) -> Page[Suppression]:
        """The newest first, at most `limit` (up to 1,000); with `live_at` those that are not over by then."""
        key = (None, None) if after is None else decode_cursor(after, int, str)
        values = {
            "kind": kind.value,
            "us": key[0],
            "id": key[1],
            "at": live_at,
            "limit": check_limit(limit, 1_000) + 1,
        }
        rows = [_of_row(row) for row in self._conn.execute(PAGE, values).fetchall()]
        return page_of(rows, limit, lambda each: (to_us(each.created_at), str(each.id)))

    def held(self, suppressions: Sequence[Suppression]) -> dict[uuid.UUID, int]:
        """How many open alerts each of them holds back now."""
        names = {each.name: each.id for each in suppressions}
        found: dict[str, int] = dict(self._conn.execute(HELD, (list(names),)).fetchall())
        return {id_: int(found.get(name, 0)) for name, id_ in names.items()}

    def events(self, id_: uuid.UUID) -> list[SuppressionEvent]:
        """Its log, the oldest first."""
        return [SuppressionEvent(*row) for row in self._conn.execute(EVENTS, (id_,))]


def _of_row(row: Sequence[Any]) -> Suppression:
    values = dict(zip((each.name for each in fields(Suppression)), row, strict=True))
    values["kind"] = SuppressionKind(values["kind"])
    values["subjects"] = tuple(values["subjects"])
    values["rules"] = tuple(Rule(rule) for rule in values["rules"])
    values["domain"] = None if values["domain"] is None else Domain(values["domain"])
    values["hours"] = tuple(
        WeeklyHours(
            tuple(each["days"]), time.fromisoformat(each["start"]), time.fromisoformat(each["end"])
        )
        for each in values["hours"]
    )
    return Suppression(**values)


def _values(made: Suppression) -> dict[str, Any]:
    values: dict[str, Any] = {each.name: getattr(made, each.name) for each in fields(Suppression)}
    values["kind"] = made.kind.value
    values["subjects"] = list(made.subjects)
    values["rules"] = [rule.value for rule in made.rules]
    values["domain"] = None if made.domain is None else made.domain.value
    values["hours"] = json.dumps(
        [
            {"days": list(each.days), "start": f"{each.start:%H:%M}", "end": f"{each.end:%H:%M}"}
            for each in made.hours
        ]
    )
    return values

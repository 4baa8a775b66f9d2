"""Pages of the list of alerts: whole alerts, or their heads alone for whoever has the rest already.

The statement holds the conditions that are asked for and no others, so that the indexes of open and of unsettled cases
can serve it. It refuses to decide what a state is: `Alert.state` and `Alert.latched` do, here it is said in SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, LiteralString, TypeAlias, TypeVar

from psycopg.rows import TupleRow

from services.domain.alert import Alert, Work
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.errors import InvalidInput
from services.domain.instant import to_us
from services.store.alerting.alert_statements import COLUMNS, alert_of
from services.store.connection import Connection
from services.store.page import Page, check_limit, decode_cursor, page_of
from services.store.text import storable

LARGEST: Final = 1_000
State: TypeAlias = Literal[
    "active", "acknowledged", "cleared", "resolved", "open", "latched", "current"
]
"""The one word of `Alert.state`; or open (active or acknowledged), latched, or current (open or latched)."""

_HEAD: Final[LiteralString] = "id, version, subject, raised_at"
STATES: Final[Mapping[str, LiteralString]] = {
    "resolved": "resolved_at IS NOT NULL",
    "cleared": "resolved_at IS NULL AND cleared_at IS NOT NULL",
    "acknowledged": "resolved_at IS NULL AND cleared_at IS NULL AND acknowledged_at IS NOT NULL",
    "active": "resolved_at IS NULL AND cleared_at IS NULL AND acknowledged_at IS NULL",
    "open": "resolved_at IS NULL AND cleared_at IS NULL",
    "latched": "resolved_at IS NULL AND cleared_at IS NOT NULL AND acknowledged_at IS NULL AND told_at IS NOT NULL",
    "current": "resolved_at IS NULL AND (cleared_at IS NULL OR (acknowledged_at IS NULL AND told_at IS NOT NULL))",
}
FILTERS: Final[Mapping[str, LiteralString]] = {
    "after": "(raised_at, id) < (timestamptz 'epoch' + %(raised_us)s * interval '1 us', %(id)s::uuid)",
    "rule": "rule = %(rule)s",
    "severity": "severity = %(severity)s",
    "subject": "subject = %(subject)s",
    "group": "group_id = %(group)s",
    "assignee": "coalesce(assignee, '') = %(assignee)s",
    "work": "work = %(work)s",
    "suppressed": "(suppressed_by IS NOT NULL) = %(suppressed)s",
    "shelved": "coalesce(shelved_until > %(now)s, false) = %(shelved)s",
    "start": "raised_at >= %(start)s",
    "end": "raised_at < %(end)s",
    "domain": """
        (subject IN ('feed/' || %(domain)s, 'flood/' || %(domain)s)
         OR EXISTS (SELECT FROM sensor AS s WHERE s.id = a.subject AND s.domain = %(domain)s)
         OR (starts_with(subject, 'gateway/')
             AND EXISTS (SELECT FROM sensor AS s
                          WHERE s.gateway = substr(a.subject, 9) AND s.domain = %(domain)s)))
    """,
    "zone": """
        (subject = %(zone)s
         OR EXISTS (SELECT FROM sensor AS s WHERE s.id = a.subject AND s.zone = %(zone)s)
         OR (starts_with(subject, 'gateway/')
             AND EXISTS (SELECT FROM sensor AS s WHERE s.gateway = substr(a.subject, 9) AND s.zone = %(zone)s))
         OR ((starts_with(subject, 'feed/') OR starts_with(subject, 'flood/'))
             AND EXISTS (SELECT FROM sensor AS s
                          WHERE s.zone = %(zone)s AND s.domain = split_part(a.subject, '/', 2))))
    """,
    "road": """
        EXISTS (SELECT FROM sensor AS s
                 WHERE s.id = a.subject AND s.road = %(road)s
                   AND (%(direction)s::text IS NULL OR s.direction = %(direction)s))
    """,
}
"""Name of a field of `AlertChoice` -> what of an alert it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChoice:
    """Which alerts, and which page of them; None: any.

    Attributes:
        limit: most alerts of the page, up to LARGEST.
        now: decides what is shelved.
        state: as `Alert.state`, `Alert.open` and `Alert.latched` say it; current: open or latched.
        assignee: who shall deal with it; "" for nobody.
        suppressed: whether a rule keeps it from being told; shelved: whether a person hides it.
        domain, zone: of the sensor that is the subject, or of any sensor behind a gateway or feed that is; a zone
            is found as a subject too.
        road: of the sensor that is the subject; direction: in it, without a road it means nothing.
        group: a `group_id`.
        start, end: raised in [start, end).
        after: the cursor of the page before.
    """

    limit: int
    now: datetime
    state: State | None = None
    assignee: str | None = None
    work: Work | None = None
    suppressed: bool | None = None
    shelved: bool | None = None
    rule: Rule | None = None
    severity: Severity | None = None
    subject: str | None = None
    domain: Domain | None = None
    zone: str | None = None
    road: str | None = None
    direction: str | None = None
    group: uuid.UUID | None = None
    start: datetime | None = None
    end: datetime | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What tells one version of an alert from all others, and where it stands in the list."""

    id: uuid.UUID
    version: int
    subject: str
    raised_at: datetime


def page(conn: Connection, chosen: AlertChoice) -> Page[Alert]:
    """Alerts, newest raised first."""
    names, values = _asked(chosen)
    rows = conn.execute(statement(COLUMNS, names, chosen.state), values)
    return _page([alert_of(row) for row in rows], chosen)


def heads_asked(chosen: AlertChoice) -> tuple[LiteralString, dict[str, Any]]:
    """The statement that finds the same alerts' heads, and the log's position at that moment; and its values."""
    names, values = _asked(chosen)
    return heads_statement(names, chosen.state), values


def heads_of(rows: Sequence[TupleRow], chosen: AlertChoice) -> tuple[int, Page[Head]]:
    """The log's position, and the page of heads, of the rows of that statement."""
    position = int(rows[0][0])
    return position, _page([Head(*row[1:]) for row in rows if row[1] is not None], chosen)


_NAMES: Final = tuple(each.name for each in fields(AlertChoice))
Each = TypeVar("Each", Alert, Head)


@lru_cache(maxsize=256)
def statement(columns: LiteralString, names: frozenset[str], state: str | None) -> LiteralString:
    """The statement of a page with these filters."""
    conditions = [condition for name, condition in FILTERS.items() if name in names]
    if state is not None:
        conditions.append(STATES[state])
    where = " AND ".join(conditions) or "true"
    return f"SELECT {columns} FROM alert AS a WHERE {where} ORDER BY raised_at DESC, id DESC LIMIT %(limit)s"


@lru_cache(maxsize=256)
def heads_statement(names: frozenset[str], state: str | None) -> LiteralString:
    """The same for heads, each behind the log's position; without any alert the position alone."""
    return f"""
        SELECT log.position, head.*
          FROM (SELECT coalesce(max(position), 0)::bigint AS position FROM alert_event) AS log
          LEFT JOIN LATERAL ({statement(_HEAD, names, state)}) AS head ON true
         ORDER BY head.raised_at DESC, head.id DESC
    """


def _asked(chosen: AlertChoice) -> tuple[frozenset[str], dict[str, Any]]:
    """The filters that are given, and the statement's values."""
    given = {name: getattr(chosen, name) for name in _NAMES}
    names = frozenset(name for name in FILTERS if given[name] is not None)
    values: dict[str, Any] = {name: _plain(each) for name, each in given.items()}
    values["limit"] = check_limit(chosen.limit, LARGEST) + 1
    if chosen.after is not None:
        values["raised_us"], id_ = decode_cursor(chosen.after, int, str)
        values["id"] = _uuid(id_, chosen.after)
    return names, values


def _page(found: Sequence[Each], chosen: AlertChoice) -> Page[Each]:
    return page_of(found, chosen.limit, lambda each: (to_us(each.raised_at), str(each.id)))


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return storable(value) if isinstance(value, str) else value


def _uuid(value: object, cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise InvalidInput(
            "after", cursor, "the 'next' of the page before, as it was returned"
        ) from None

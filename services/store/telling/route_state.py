"""How each route fares: what it took, what it has not taken yet, what was given up, and what went wrong last.

It knows the routes that had something to deliver; it refuses to know settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from services.store.connection import Connection

_FARES: Final[LiteralString] = """
    WITH failed AS (
        SELECT DISTINCT ON (channel) channel, at, problem FROM delivery_attempt
         WHERE at >= %(since)s ORDER BY channel, at DESC, attempt DESC)
    SELECT d.channel,
           count(*) FILTER (WHERE sent_at IS NULL AND given_up_at IS NULL)::bigint,
           count(*) FILTER (WHERE sent_at IS NULL AND given_up_at IS NULL AND attempts > 0)::bigint,
           count(*) FILTER (WHERE sent_at >= %(lately)s)::bigint,
           count(*) FILTER (WHERE given_up_at >= %(lately)s AND NOT needless)::bigint,
           max(sent_at),
           min(created_at) FILTER (WHERE sent_at IS NULL AND given_up_at IS NULL AND attempts > 0),
           max(failed.at), max(failed.problem)
      FROM delivery AS d LEFT JOIN failed ON failed.channel = d.channel
     WHERE d.created_at >= %(since)s
     GROUP BY d.channel ORDER BY d.channel
"""


@dataclass(frozen=True, slots=True)
class RouteFares:
    """One route's deliveries in numbers.

    Attributes:
        waiting: deliveries on their way, of which `refused` were tried and not taken.
        sent_lately, given_up_lately: since the moment that was asked for.
        last_sent_at: the last success; refused_since: when the oldest of the refused was planned.
        failed_at, problem: the last attempt that was not taken.
    """

    route: str
    waiting: int
    refused: int
    sent_lately: int
    given_up_lately: int
    last_sent_at: datetime | None
    refused_since: datetime | None
    failed_at: datetime | None
    problem: str | None


def route_fares(conn: Connection, *, since: datetime, lately: datetime) -> list[RouteFares]:
    """Every route that had something to deliver since then, by name."""
    found = conn.execute(_FARES, {"since": since, "lately": lately})
    return [RouteFares(*row) for row in found]

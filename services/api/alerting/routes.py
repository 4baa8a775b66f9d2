"""The routes by which people are told: how each fares, and a real message to try one.

What a route is set to, and how it is tried, comes from whoever started the service; without it this room shows what the
deliveries say. It refuses to show addresses and secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field

from services.api.access import operate, read
from services.api.answers import Answer
from services.api.documents import SAME_AS_DATA, Document, SaidDocument
from services.api.errors import UnknownRoute
from services.api.problems import documented
from services.domain.sentences.problem import said_of
from services.store.telling.route_state import RouteFares, route_fares

router = APIRouter(tags=["alerts"], dependencies=[Depends(read)])

_REMEMBERED: Final = timedelta(days=30)
_LATELY: Final = timedelta(days=1)
_DEAD: Final = timedelta(minutes=10)
_NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
"""What the settings take as the name of a route."""


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What a route is set to, without addresses and secrets.

    Attributes:
        channel: webhook, email...; from_severity: critical, warning or info; language: of what it tells.
        escalates_to: who is told when nobody answers.
    """

    name: str
    channel: str
    from_severity: str
    language: str
    escalates_to: str | None


@dataclass(frozen=True, slots=True)
class RoutesInForce:
    """The routes of this service's own settings, and how to send a test by one of them.

    Attributes:
        send_test: takes a route's name; sends one real message, marked as a test, and returns what the other side
            answered. Unavailable where it was not taken.
    """

    facts: Sequence[RouteFacts]
    send_test: Callable[[str], str | None]


class RouteHealth(StrEnum):
    """How a route fares."""

    GOOD = "good"
    REFUSED = "refused"
    DEAD = "dead"
    IDLE = "idle"


class RouteDocument(Document):
    """One route."""

    name: str = Field(description="Its name in the settings.")
    health: RouteHealth = Field(
        description="good: the last message was taken; refused: messages wait that were not taken; dead: for ten "
        "minutes and more; idle: nothing was to be told for 30 days."
    )
    channel: str | None = Field(
        description="log, webhook, email, apprise, cap or open311; null for a route that this service's settings lack."
    )
    from_severity: str | None = Field(description="It hears of alerts at least this severe.")
    language: str | None = Field(description="In which language it tells.")
    escalates_to: str | None = Field(description="The route that is told when nobody answers.")
    waiting: int = Field(description="Messages on their way, held ones among them.")
    refused: int = Field(description="Of these, messages that were tried and not taken yet.")
    sent_day: int = Field(description="Taken in the last 24 hours.")
    given_up_day: int = Field(description="Given up in the last 24 hours.")
    last_sent_at: datetime | None = Field(description="The last message that was taken.")
    last_failed_at: datetime | None = Field(description="The last attempt that was not taken.")
    last_problem: str | None = Field(description="What went wrong then.")
    last_problem_said: SaidDocument | None = Field(description=SAME_AS_DATA)
    can_test: bool = Field(description="Whether a test can be sent by it from here.")


class RoutesDocument(Document):
    """Every route."""

    items: list[RouteDocument] = Field(description="The routes, by name.")


class TestDocument(Document):
    """A test that the other side took."""

    route: str = Field(description="The route.")
    sent_at: datetime = Field(description="When it was taken.")
    receipt: str | None = Field(description="What the other side answered, if that is kept.")
    receipt_said: SaidDocument | None = Field(description=SAME_AS_DATA)


@router.get(
    "/v1/routes",
    summary="How the routes fare",
    responses={
        200: {"model": RoutesDocument, "description": "Every route of the settings, and of the last 30 days"},
        **documented(401, 403, 503),
    },
)  # fmt: skip
def routes(request: Request) -> Answer:
    """Tell of each route whether its messages are taken, when the last one was, and what went wrong."""
    now = datetime.now(UTC)
    in_force: RoutesInForce | None = request.app.state.neighbours.routes
    known = {each.name: each for each in in_force.facts} if in_force else {}
    with request.app.state.database.connection() as connection:
        fares = {
            each.route: each
            for each in route_fares(connection, since=now - _REMEMBERED, lately=now - _LATELY)
        }
    names = sorted(known.keys() | fares.keys())
    return Answer({"items": [_document(n, known.get(n), fares.get(n), now) for n in names]})


@router.post(
    "/v1/routes/{name}/test",
    summary="Send a test by a route",
    dependencies=[Depends(operate)],
    responses={
        200: {"model": TestDocument, "description": "The other side took it"},
        **documented(401, 403, 404, 422, 503),
    },
)
def send_test(
    request: Request,
    name: Annotated[str, Path(pattern=_NAME, description="The route's name.")],
) -> Answer:
    """Send one real message that says that it is a test. 503 with the reason where it was not taken."""
    in_force: RoutesInForce | None = request.app.state.neighbours.routes
    if in_force is None or name not in {each.name for each in in_force.facts}:
        raise UnknownRoute(name)
    receipt = in_force.send_test(name)
    told = {"route": name, "sent_at": datetime.now(UTC), "receipt": receipt}
    return Answer({**told, "receipt_said": said_of(receipt)})


def _document(
    name: str, facts: RouteFacts | None, fares: RouteFares | None, now: datetime
) -> dict[str, Any]:
    return {
        "name": name,
        "health": _health(fares, now),
        "channel": facts and facts.channel,
        "from_severity": facts and facts.from_severity,
        "language": facts and facts.language,
        "escalates_to": facts and facts.escalates_to,
        "waiting": fares.waiting if fares else 0,
        "refused": fares.refused if fares else 0,
        "sent_day": fares.sent_lately if fares else 0,
        "given_up_day": fares.given_up_lately if fares else 0,
        "last_sent_at": fares and fares.last_sent_at,
        "last_failed_at": fares and fares.failed_at,
        "last_problem": fares and fares.problem,
        "last_problem_said": said_of(fares.problem if fares else None),
        "can_test": facts is not None,
    }


def _health(fares: RouteFares | None, now: datetime) -> RouteHealth:
    if fares is None:
        return RouteHealth.IDLE
    took_last = fares.last_sent_at is not None and (
        fares.failed_at is None or fares.failed_at <= fares.last_sent_at
    )
    if took_last or fares.failed_at is None:
        return RouteHealth.GOOD if fares.last_sent_at else RouteHealth.IDLE
    since = fares.refused_since
    given_up = since is None and fares.given_up_lately > 0
    return RouteHealth.DEAD if given_up or (since and now - since >= _DEAD) else RouteHealth.REFUSED

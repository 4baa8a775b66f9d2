"""Lists of alerts as they are sent: each alert is encoded once a version, each list once until something changes.

A list that is known is given again only after the database said, since the request came, that no event has been added:
nobody is shown less than what was committed before they asked, whichever process wrote it. Its ETag is of what it
shows, the same in every process. It refuses to keep more than some megabytes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from starlette.concurrency import run_in_threadpool

from services.api.database import Database
from services.api.encoding import encoded
from services.api.places import Place, Places
from services.api.streams.departure import CURRENT
from services.domain.alert import Alert
from services.domain.alert_fold import allowed_changes
from services.domain.subject import kind_of_subject
from services.store.alerting import alert_pages
from services.store.alerting.alert_pages import AlertChoice, Head
from services.store.alerting.alert_statements import GET, alert_of
from services.store.alerting.newest import NewestEvent
from services.store.asking import Asker
from services.store.page import Page

_KEPT_ALERTS: Final = 5_000
_KEPT_BYTES: Final = 16_000_000
_DIGEST_BYTES: Final = 16
_FRESH_S: Final = 60
"""Places of sensors and the ends of shelves change without an event; nobody waits longer for them."""
_AT_ONCE: Final = 100
"""Alerts that are encoded in the event loop; more need a thread."""
_FIELDS: Final = (
    "id",
    "rule",
    "subject",
    "version",
    "state",
    "active",
    "severity",
    "score",
    "sentence",
    "said",
    "evidence",
    "started_at",
    "raised_at",
    "updated_at",
    "cleared_at",
    "acknowledged_at",
    "acknowledged_by",
    "shelved_until",
    "shelved_reason",
    "resolved_at",
    "resolved_by",
    "verdict",
    "previous_id",
    "group_id",
    "assignee",
    "work",
    "suppressed_by",
    "suppressed_reason",
    "told_at",
    "latched",
)


def alert_document(alert: Alert, place: Place | None) -> dict[str, object]:
    """The alert as it is served."""
    document: dict[str, object] = {name: getattr(alert, name) for name in _FIELDS}
    document["subject_kind"] = kind_of_subject(alert.subject)
    document["place"] = place
    document["allowed_changes"] = allowed_changes(alert)
    return document


@dataclass(frozen=True, slots=True)
class Encoded:
    """One version of an alert, at its place, as JSON, and that JSON's digest."""

    version: int
    place: Place | None
    json: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class AlertList:
    """A list as it is sent, its ETag, and until when it is known to be so.

    Attributes:
        tag: of what is shown: as long as that stays, so does the tag.
        known_at: the log's position, and the minute, of the moment of the list.
    """

    tag: str
    json: bytes
    known_at: tuple[int, int]


class AlertLists:
    """Lists by the question's text, for one event loop."""

    def __init__(self, asker: Asker, database: Database, places: Places) -> None:
        self._asker, self._database, self._places = asker, database, places
        self._newest = NewestEvent(asker)
        self._alerts: dict[int, Encoded] = {}  # by id; numbers are found faster
        self._lists: OrderedDict[bytes, AlertList] = OrderedDict()
        self._bytes = 0

    async def known(self, question: bytes) -> AlertList | None:
        """The list that was made for the question before, if nothing has changed until this call."""
        kept = self._lists.get(question)
        if kept is None or kept.known_at != _moment(await self._newest.position()):
            return None
        if question in self._lists:
            self._lists.move_to_end(question)
        return kept

    async def made(self, question: bytes, chosen: AlertChoice) -> AlertList:
        """The list as it is now.

        Args:
            question: names `chosen` but for its `now`.
        """
        departure = CURRENT.get()
        watch = nullcontext if departure is None else departure.watching
        rows = await self._asker.rows(*alert_pages.heads_asked(chosen), watch)
        position, page = alert_pages.heads_of(rows, chosen)
        moment = _moment(position)
        known = await self._known(page)
        if known is None:
            alerts, following = await run_in_threadpool(self._anew, chosen)
        else:
            alerts, following = known, page.next
        json = b'{"items":[%s],"next":%s,"has_more":%s}' % (
            b",".join([each.json for each in alerts]),
            encoded(following),
            encoded(following is not None),
        )
        made = AlertList(_tag(alerts, following), json, moment)
        self._keep(question, made)
        return made

    async def _known(self, page: Page[Head]) -> list[Encoded] | None:
        """Each alert; None where too much of it is not known, or has changed since the heads were read."""
        places = self._places.known([head.subject for head in page.items])
        try:
            found = [self._alert(head, places[head.subject]) for head in page.items]
        except KeyError:  # a place that has to be looked up
            return None
        known = [each for each in found if each is not None]
        if len(known) == len(found):
            return known
        missing = [head for head, each in zip(page.items, found, strict=True) if each is None]
        if len(missing) > _AT_ONCE:
            return None
        for row in await self._asker.rows(GET, ([head.id for head in missing],)):
            alert = alert_of(row)
            self._encode(alert, places[alert.subject])
        found = [self._alert(head, places[head.subject]) for head in page.items]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) else None

    def _anew(self, chosen: AlertChoice) -> tuple[list[Encoded], str | None]:
        """The same by one statement, so that all of it is of one moment; and the cursor. In a thread."""
        with self._database.connection() as connection:
            page = alert_pages.page(connection, chosen)
            places = self._places.of(connection, [alert.subject for alert in page.items])
        return [self._encode(alert, places[alert.subject]) for alert in page.items], page.next

    def _alert(self, head: Head, place: Place | None) -> Encoded | None:
        kept = self._alerts.get(head.id.int)
        if kept is None or kept.version != head.version:
            return None
        return kept if kept.place is place or kept.place == place else None

    def _encode(self, alert: Alert, place: Place | None) -> Encoded:
        json = encoded(alert_document(alert, place))
        digest = blake2b(json, digest_size=_DIGEST_BYTES).digest()
        if len(self._alerts) >= _KEPT_ALERTS:
            self._alerts.clear()
        made = self._alerts[alert.id.int] = Encoded(alert.version, place, json, digest)
        return made

    def _keep(self, question: bytes, made: AlertList) -> None:
        old = self._lists.pop(question, None)
        self._bytes -= 0 if old is None else len(question) + len(old.json)
        size = len(question) + len(made.json)
        if size > _KEPT_BYTES:
            return
        self._lists[question] = made
        self._bytes += size
        while self._bytes > _KEPT_BYTES:
            name, gone = self._lists.popitem(last=False)
            self._bytes -= len(name) + len(gone.json)


def _moment(position: int) -> tuple[int, int]:
    return position, int(time.time()) // _FRESH_S


def _tag(alerts: Sequence[Encoded], following: str | None) -> str:
    """The ETag of a page: of its alerts, which are digested once a version, and of the cursor behind them."""
    page = blake2b(b"".join([each.digest for each in alerts]), digest_size=_DIGEST_BYTES)
    page.update(encoded(following))
    return f'W/"{page.hexdigest()}"'

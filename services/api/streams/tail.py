"""Follows the log of alerts and hands each event, encoded once, to every live stream that wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.api.alerting.alert_lists import alert_document
from services.api.alerting.alerts import event_document
from services.api.encoding import encoded
from services.api.metrics import ApiMetrics
from services.api.places import Places
from services.api.settings import ApiSettings
from services.api.streams.live import RESET, Frame, Gap, Key, Missed, Tail
from services.domain.alert import Alert
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.store.alerting.alerts import CHANNEL, AlertRepository
from services.store.connection import Connection, connect, listen, wait
from services.store.telling.sites import Site, sites

_READ_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class AlertWants:
    """Which alerts; None: any."""

    rule: Rule | None = None
    severity: Severity | None = None
    subject: str | None = None
    domain: Domain | None = None
    zone: str | None = None

    def takes(self, alert: Alert, site: Site) -> bool:
        """Whether the alert, of a subject at this site, is one of them: the same that the list of alerts finds."""
        return (
            self.rule in {None, alert.rule}
            and self.severity in {None, alert.severity}
            and self.subject in {None, alert.subject}
            and (self.domain is None or self.domain in site.domains)
            and (self.zone is None or self.zone in site.zones)
        )


class AlertTail(Tail[AlertWants]):
    """The thread that follows the log of alerts."""

    name = "alert-tail"

    def __init__(
        self, url: str, settings: ApiSettings, metrics: ApiMetrics, places: Places
    ) -> None:
        super().__init__(url, settings, metrics)
        self._places = places
        self._position: int | None = None

    def missed(self, connection: Connection, after: Key, wants: AlertWants) -> Missed:
        """The next events of the log; at most some hundreds."""
        found = self._after(connection, after[0])
        frames = [frame for frame, alert, site in found if wants.takes(alert, site)]
        return Missed(frames, found[-1][0].key if found else after, bool(found))

    def gap(self, connection: Connection, after: Key) -> Frame | None:
        """The log is kept for good; it ends before the place only where an older database took its place."""
        newest = AlertRepository(connection).last_position()
        if after[0] <= newest:
            return None
        data = encoded({"reason": Gap.RESTORED, "kept_since": None})
        return Frame((newest,), str(newest), RESET, data)

    def follow(self) -> None:
        """From where it was, or from now on."""
        with connect(
            self.url,
            "citygauge-api-stream",
            autocommit=True,
            statement_timeout_s=self.settings.statement_timeout_s,
        ) as connection:
            listen(connection, CHANNEL)
            if self._position is None:
                self._position = AlertRepository(connection).last_position()
            while not self.stopping.is_set():
                self._position = self._pass_on(connection, self._position)
                wait(connection, CHANNEL, self.settings.stream_poll_s, self.stopping)

    def _pass_on(self, connection: Connection, position: int) -> int:
        while not self.stopping.is_set():
            found = self._after(connection, position)
            if not found:
                break
            self.hand_over(
                [
                    (
                        each,
                        [frame for frame, alert, site in found if each.wants.takes(alert, site)],
                    )
                    for each in self.listeners()
                ]
            )
            position = found[-1][0].key[0]
        return position

    def _after(self, connection: Connection, position: int) -> Sequence[tuple[Frame, Alert, Site]]:
        repository = AlertRepository(connection)
        events = repository.events_after(position, limit=_READ_AT_ONCE)
        alerts = repository.many(list({stored.event.alert_id for stored in events}))
        subjects = {alert.subject for alert in alerts.values()}
        places = self._places.of(connection, subjects)
        where = sites(connection, subjects)
        found = []
        for stored in events:
            alert = alerts[stored.event.alert_id]
            place = places[alert.subject]
            data = encoded({"event": event_document(stored), "alert": alert_document(alert, place)})
            frame = Frame((stored.position,), str(stored.position), "alert", data)
            found.append((frame, alert, where[alert.subject]))
        return found

"""The gate before the outbox: lets alerts through one by one until there are too many, and folds the rest into a flood.

It counts what one call would tell, beside what the log says of the minutes before; it refuses to speak to the database.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from services.domain import flood
from services.domain.alert import Alert, AlertEvent
from services.domain.catalogue import Domain
from services.domain.condition import Severity
from services.domain.flood import NEVER_FOLDED, FloodLimit, Tally
from services.domain.suppression import Whereabouts


@dataclass(slots=True)
class _Stream:
    """A domain's alerts of late: when they were told or folded, the flood if there is one, what it took just now.

    id: of the flood that begins in this call, if one does. Not made of its times: floods can follow in one window.
    """

    times: list[datetime] = field(default_factory=list)
    current: Alert | None = None
    began: datetime | None = None
    tally: Tally | None = None
    severity: Severity = Severity.INFO
    at: datetime | None = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)


class FloodGate:
    """The gate of one call.

    Args:
        limit: from when it is a flood.
        floods: those that are on, by domain.
        times: when alerts were told or folded in the minutes before, by domain.
    """

    def __init__(
        self,
        limit: FloodLimit,
        floods: dict[Domain, Alert],
        times: dict[Domain, list[datetime]],
    ) -> None:
        self._limit = limit
        self._streams: defaultdict[Domain, _Stream] = defaultdict(_Stream)
        for domain, found in floods.items():
            self._streams[domain].current = found
        for domain, moments in times.items():
            self._streams[domain].times = list(moments)

    def folds(self, alert: Alert, where: Whereabouts, at: datetime) -> uuid.UUID | None:
        """The flood that takes the alert instead of its being told; None lets it through."""
        if where.domain is None or alert.rule in NEVER_FOLDED:
            return None
        stream = self._streams[where.domain]
        near = [each for each in stream.times if at - self._limit.window < each <= at]
        stream.times.append(at)
        if stream.current is None and stream.began is None:
            if len(near) < self._limit.alerts:
                return None
            stream.began = min(near)
        if stream.tally is None:
            stream.tally = Tally.of({} if stream.current is None else stream.current.evidence)
        stream.tally.add(alert.rule, where)
        stream.at = at if stream.at is None else max(stream.at, at)
        stream.severity = max(stream.severity, alert.severity, key=lambda each: each.rank)
        return stream.id if stream.current is None else stream.current.id

    def events(self) -> list[AlertEvent]:
        """What the call means for the floods: one event for each that began or grew."""
        made = []
        for domain, stream in self._streams.items():
            if stream.tally is None or stream.at is None:
                continue
            if stream.current is not None:
                made.append(
                    flood.grown(
                        stream.current,
                        what=domain.value,
                        tally=stream.tally,
                        severity=stream.severity,
                        at=stream.at,
                        limit=self._limit,
                    )
                )
            elif stream.began is not None:
                made.append(
                    flood.raised(
                        stream.id,
                        what=domain.value,
                        tally=stream.tally,
                        severity=stream.severity,
                        began=stream.began,
                        at=stream.at,
                        limit=self._limit,
                    )
                )
        return made

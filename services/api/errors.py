"""Errors that only the HTTP border knows: who asks, and whether they may. Statuses are chosen in `problems.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from services.domain.access import Scope
from services.domain.errors import CitygaugeError
from services.domain.sentences.problem import problem

_LONGEST: Final = 100


class NotSignedIn(CitygaugeError):
    """The request carries no valid key or session."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class ScopeMissing(CitygaugeError):
    """The key is valid and does not allow this. `needed` is the scope that would."""

    def __init__(self, needed: Scope) -> None:
        self.needed = needed
        super().__init__(f"this needs a key with the scope '{needed}'")


class ForeignRequest(CitygaugeError):
    """A change came with the console's cookie, but not from the console's own page."""

    def __init__(self) -> None:
        super().__init__(
            "a change that uses the console's session must come from the console's own page, "
            "with the header X-Citygauge: console"
        )


class TooLarge(CitygaugeError):
    """The request's body is larger than any request to this API needs to be."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the body of this request may have at most {limit_bytes:,} bytes: ask for less at a time, or name a zone, "
            "a road or a kind instead of their sensors"
        )


class NotAcceptable(CitygaugeError):
    """No offered form is one that the client takes. `offered` names those that there are."""

    def __init__(self, asked: str, offered: Sequence[str]) -> None:
        self.asked, self.offered = asked, tuple(offered)
        shown = asked if len(asked) <= _LONGEST else f"{asked[:_LONGEST]}…"
        super().__init__(f"{shown!r} is not offered here; there is {', '.join(self.offered)}")


class FormMissing(CitygaugeError):
    """The form is offered where a package is installed that is not installed here."""

    def __init__(self, form: str) -> None:
        self.form = form
        super().__init__(
            f"this server cannot write {form}: pyarrow is not installed (pip install citygauge[arrow]); "
            "ask for csv, ndjson or json"
        )


class ExportsFull(CitygaugeError):
    """As many exports as may wait are waiting."""

    retriable: ClassVar[bool] = True

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(
            f"{most} exports are waiting or running already; try again when some are done"
        )


class PreviewsFull(CitygaugeError):
    """As many previews as may wait are waiting."""

    retriable: ClassVar[bool] = True

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(problem("previews_full", most=most))


class NeighbourMissing(CitygaugeError):
    """This server was started without the service that would do it. `what` names what cannot be done."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"this server cannot {what}; `citygauge api` can")


class PreviewFailed(CitygaugeError):
    """A preview came to no result; `problem` says why, for people."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class NotReady(CitygaugeError):
    """The export has no file yet, or never will."""

    def __init__(self, state: str, progress: float, problem: str | None) -> None:
        self.state = state
        told = f": {problem}" if problem else f" ({progress:.0%})"
        super().__init__(f"this export has no file: it is {state}{told}")


class RangeNotThere(CitygaugeError):
    """The part of a file that was asked for begins behind its end."""

    def __init__(self, asked: str, size: int) -> None:
        self.asked, self.size = asked, size
        super().__init__(f"the file has {size} bytes; {asked[:_LONGEST]!r} is no part of it")


class ClientGone(CitygaugeError):
    """Nobody waits for the answer any more."""

    def __init__(self) -> None:
        super().__init__("the client has gone away")


class UnknownRoute(CitygaugeError):
    """This service's settings have no route of that name."""

    def __init__(self, route: str) -> None:
        self.route = route
        super().__init__(f"this service's settings have no route {route[:_LONGEST]!r}")


class TooManyStreams(CitygaugeError):
    """Every place for a live stream is taken."""

    retriable: ClassVar[bool] = True

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"all {limit} places for live streams are taken")

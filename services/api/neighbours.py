"""What other services do for the API: handed in by the command line, because services never import each other.

It refuses to know how: a preview of rules may be a process, a replay an ingest of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.api.alerting.routes import RoutesInForce
from services.api.rules import Rules
from services.store.connection import Connection


class Previewer(Protocol):
    """Says what other limits of the detectors would have told."""

    def check(self, changes: Mapping[str, float]) -> None:
        """Refuse changes that cannot be tried. Raises InvalidInput."""

    def run(
        self, asked: Mapping[str, Any], report: Callable[[float], bool]
    ) -> Mapping[str, Any] | None:
        """The result; `report` is told the share that is done; None when it answers no. Raises PreviewFailed."""


Replay = Callable[[Connection, Sequence[int], str], Mapping[str, Any]]
"""Reads rejected messages of these ids again, for somebody: counts `replayed`, `stored`, `duplicate`, `stay`, `cut`,
and `reasons` of those that stay. Raises UnknownMessage."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the API was given.

    Attributes:
        rules: what the rules are set to, for people to read.
        previewer: tries other limits; replay: reads rejected messages again; None: nobody can.
        routes: by which routes people are told, and how to try one; None: not known here.
    """

    rules: Rules = field(default_factory=dict)
    previewer: Previewer | None = None
    routes: RoutesInForce | None = None
    replay: Replay | None = None

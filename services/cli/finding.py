"""One line of what doctor says. It knows nothing of what is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a thing is: warn hinders some commands, fail hinders the product."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is looked at, how it is, what to do about it, and why it matters."""

    what: str
    health: Health
    said: str
    remedy: str = ""
    why: str = ""

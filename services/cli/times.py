"""Times and time zones that are given as options of a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.domain.errors import InvalidInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def time_of(option: str, text: str, read: Callable[[str], int] | None = None) -> int:
    """Microseconds since 1970, `read` in another way than usual where one is given.

    Raises:
        InvalidInput: not a time; it names the option.
    """
    from services.domain.instant import parse_written_time

    try:
        return (read or parse_written_time)(text)
    except InvalidInput as error:
        raise InvalidInput(option, text, error.allowed) from None


def zone_of(option: str, name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None without one.

    Raises:
        InvalidInput: there is none of that name; it names the option.
    """
    from zoneinfo import ZoneInfo

    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise InvalidInput(option, name, "an IANA name such as Europe/Madrid") from None

"""Times that are given as options of a command."""

from __future__ import annotations

from services.domain.errors import InvalidInput


def time_of(option: str, text: str) -> int:
    """Microseconds since 1970.

    Raises:
        InvalidInput: not a time; it names the option.
    """
    from services.domain.instant import parse_written_time

    try:
        return parse_written_time(text)
    except InvalidInput as error:
        raise InvalidInput(option, text, error.allowed) from None

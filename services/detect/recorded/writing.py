"""How the times and numbers of a recording are written where it is not the usual way: local times, decimal commas.

Both must be said by who knows the file. It refuses to guess: 1,234 is two different numbers in two countries, and
07:30 is no instant until somebody says where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.domain.csv_text import A_NUMBER
from services.domain.errors import InvalidInput
from services.domain.instant import from_us, parse_written_time, to_us

_LOCAL: Final = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d)|(\d\d?)\.(\d\d?)\.(\d{4}))[Tt ](\d\d?):(\d\d)(?::(\d\d)(?:\.\d*)?)?",
    re.ASCII,
)
"""2026-01-31 13:45[:00] or 31.01.2026 13:45[:00]."""
_COMMA: Final = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a recording is written.

    Attributes:
        zone: where times are local that are written without a zone; None: such times are refused. In the hour that
            autumn repeats the earlier one is meant; an hour that spring leaves out is refused.
        decimal_comma: whether numbers have a comma (17,5), and no marks of thousands.
    """

    zone: ZoneInfo | None = None
    decimal_comma: bool = False

    def instant(self, text: str) -> int:
        """Microseconds since 1970.

        Raises:
            InvalidInput: no time, or a local one of no known zone.
        """
        match = _LOCAL.fullmatch(text)
        if match is None:
            return parse_written_time(text)
        if self.zone is None:
            raise InvalidInput(
                "time", text, "a time with its zone (2026-01-31T13:45:00Z), or with --time-zone"
            )
        y, m, d, day, month, year, hour, minute, second = match.groups()
        try:
            local = datetime(
                int(y or year), int(m or month), int(d or day), int(hour), int(minute), int(second or 0),
                tzinfo=self.zone,
            )  # fmt: skip
        except ValueError as error:
            raise InvalidInput("time", text, f"a date and a time of day ({error})") from None
        us = to_us(local)
        if from_us(us).astimezone(self.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise InvalidInput(
                "time",
                text,
                f"a time that there was in {self.zone.key}: clocks were put forward then",
            )
        return us

    def number(self, text: str) -> float:
        """The number.

        Raises:
            InvalidInput: it is none.
        """
        if self.decimal_comma and _COMMA.fullmatch(text):
            text = text.replace(",", ".")
        elif self.decimal_comma and "." in text:
            raise InvalidInput("value", text, "a number with a decimal comma and no other marks")
        try:
            return float(text)
        except ValueError:
            hint = ", or --decimal-comma" if "," in text else ""
            raise InvalidInput("value", text, f"{A_NUMBER}{hint}") from None

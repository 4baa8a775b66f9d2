"""Tables that people bring as CSV: what stands between their cells, and bytes that are not UTF-8.

It refuses to guess an encoding, and to read decimal commas: 1,234 is two different numbers in two countries.
"""

from __future__ import annotations

from typing import Final

from services.domain.errors import InvalidInput

_MARKS: Final = ",;\t"
A_NUMBER: Final = "a number, with a decimal point"


def delimiter(header: str) -> str:
    """What stands between cells: of comma, semicolon (a spreadsheet's, where numbers have commas) and tab, the one that
    the header line has most of; the comma where it has none.
    """
    return max(_MARKS, key=header.count)


def text_of(raw: bytes, name: str) -> str:
    """The text of a file's bytes, without a byte order mark.

    Raises:
        InvalidInput: they are not UTF-8; it says where.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            name,
            f"byte 0x{raw[error.start]:02x} on line {line}",
            'UTF-8 (a spreadsheet\'s "CSV UTF-8")',
        ) from error

"""JSON, encoded by msgspec straight from the domain's frozen types and from numpy columns.

NaN becomes null, times become RFC 3339 in UTC with Z. It refuses to build one Python object for each row of readings:
a column goes from the array to bytes by one call.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)
_DAY_US: Final = 86_400_000_000
_DIGITS: Final = np.frombuffer(
    "".join(f"{number:02d}" for number in range(100)).encode(), np.uint8
).reshape(100, 2)


def encoded(content: object) -> bytes:
    """Plain data, domain types, `column` and `times` as UTF-8 JSON."""
    return _ENCODER.encode(content)


def column(values: NDArray[np.generic]) -> msgspec.Raw:
    """A JSON array of an (n,) array of numbers; NaN and infinities become null."""
    return msgspec.Raw(_ENCODER.encode(values.tolist()))


def times(us: NDArray[np.int64]) -> msgspec.Raw:
    """A JSON array of RFC 3339 times of (n,) microseconds since 1970 UTC; fractions only where one has any."""
    n = len(us)
    if n == 0:
        return msgspec.Raw(b"[]")
    day, within = np.divmod(us, _DAY_US)
    days, which = np.unique(day, return_inverse=True)
    dates = np.array([str(date) for date in days.astype("datetime64[D]")], "S10")
    second, fraction = np.divmod(within, 1_000_000)
    fractions = bool(fraction.any())
    width = 31 if fractions else 24
    text = np.full((n, width), ord("0"), np.uint8)
    text[:, 0] = ord('"')
    text[:, 1:11] = dates[which].view(np.uint8).reshape(n, 10)
    text[:, 11] = ord("T")
    text[:, 12:14] = _DIGITS[second // 3600]
    text[:, 15:17] = _DIGITS[second // 60 % 60]
    text[:, 18:20] = _DIGITS[second % 60]
    text[:, [14, 17]] = ord(":")
    if fractions:
        text[:, 20] = ord(".")
        for at, divisor in ((21, 10_000), (23, 100), (25, 1)):
            text[:, at : at + 2] = _DIGITS[fraction // divisor % 100]
    text[:, -4] = ord("Z")
    text[:, -3] = ord('"')
    text[:, -2] = ord(",")
    text = text[:, :-1]
    text[-1, -1] = ord("]")
    return msgspec.Raw(b"[" + text.tobytes())

"""The address of raster tiles beneath the map: what is one, and the single origin that it opens the pages to.

It refuses what could name more than one origin, or add anything else to the content security policy.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def tile_origin(address: str) -> str:
    """The one origin that tiles of this address come from: https://tiles.example.org.

    Raises:
        ValueError: with what would do.
    """
    try:
        parts = urlsplit(address)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    host = parts.hostname or ""
    named = _HOST.fullmatch(host) is not None and parts.username is None
    if parts.scheme not in ("http", "https") or not named:
        raise ValueError("an address that begins with https:// and names one host, without {s}")
    if any(address.count(each) != 1 for each in ("{z}", "{x}", "{y}")) or address.count("{") != 3:
        raise ValueError("an address with {z}, {x} and {y}, each once, and no other braces")
    if not address.isascii() or not address.isprintable() or set(address) & set(" '\"<>;,"):
        raise ValueError("an address without spaces, quotation marks, commas and semicolons")
    return f"{parts.scheme}://{host}{port}"

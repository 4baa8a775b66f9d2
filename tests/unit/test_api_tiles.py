"""The address of tiles: one origin, which alone is added to the content security policy."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.api.settings import ApiSettings
from services.api.tiles import tile_origin


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://tiles.example.org/{z}/{x}/{y}.png", "https://tiles.example.org"),
        ("http://10.0.0.7:8081/a/{z}/{y}/{x}.png?key=1", "http://10.0.0.7:8081"),
    ],
)
def test_the_origin_of_tiles(address: str, origin: str) -> None:
    assert tile_origin(address) == origin
    made = ApiSettings(map_tiles=address, map_attribution="© Streets")
    assert made.map_tiles == address


@pytest.mark.parametrize(
    "address",
    [
        "https://{s}.example.org/{z}/{x}/{y}.png",
        "https://example.org/tiles.png",
        "https://example.org/{z}/{x}/{y}/{x}.png",
        "https://example.org/{z}/{x}/{y}/{r}.png",
        "ftp://example.org/{z}/{x}/{y}.png",
        "https://a:b@example.org/{z}/{x}/{y}.png",
        "https://example.org; script-src */{z}/{x}/{y}.png",
        "https://exa mple.org/{z}/{x}/{y}.png",
        "https://*/{z}/{x}/{y}.png",
        "https://example.org:port/{z}/{x}/{y}.png",
        "//example.org/{z}/{x}/{y}.png",
    ],
)
def test_what_is_no_address_of_tiles_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        ApiSettings(map_tiles=address, map_attribution="© Streets")


def test_tiles_without_a_credit_are_refused() -> None:
    with pytest.raises(ValidationError, match="map_attribution"):
        ApiSettings(map_tiles="https://example.org/{z}/{x}/{y}.png")

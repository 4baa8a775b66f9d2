"""Tiles beneath the map: from one named origin alone, and credited; without the setting nothing is asked anywhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from services.api.frame import CONTENT_SECURITY_POLICY
from tests.api_server import METER, Api, register, serving
from tests.browser.conftest import Console

pytestmark = pytest.mark.browser

TILE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf50"
    "0f0003860180340a36fc0000000049454e44ae426082"
)
"""A PNG of one pixel."""


@pytest.fixture
def tile_server() -> Iterator[tuple[str, list[str]]]:
    """A tile server on loopback, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.end_headers()
            self.wfile.write(TILE)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def console_api(database_url: str, tile_server: tuple[str, list[str]]) -> Iterator[Api]:
    origin, _ = tile_server
    settings = {"map_tiles": origin + "/{z}/{x}/{y}.png", "map_attribution": "© <b>Streets</b>"}
    with serving(database_url, stream_heartbeat_s=1, **settings) as running:
        yield running


def test_tiles_come_from_the_named_origin_and_are_credited(
    console: Console, tile_server: tuple[str, list[str]]
) -> None:
    origin, asked = tile_server
    register(console.api.database_url, [METER])
    page = console.open("/#/map")
    expect(page.locator(".map img.leaflet-tile-loaded").first).to_be_attached()
    expect(page.get_by_text("© <b>Streets</b>")).to_be_visible()
    assert asked
    assert all(path.endswith(".png") for path in asked)
    with console.api.client() as client:
        policy = client.get("/").headers["content-security-policy"]
    assert policy == CONTENT_SECURITY_POLICY.replace("data:;", f"data: {origin};")

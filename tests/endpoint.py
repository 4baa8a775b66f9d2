"""A real HTTP endpoint on loopback that keeps what is posted to it, for tests of whatever posts."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.waiting import PATIENCE_S


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Endpoint:
    """Answers each POST or GET with the next of `answers` (200: none left) and `body`, after `hold` is set, if any."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self.body = b""
        self.refuses: Callable[[Request], bool] = lambda request: False
        self.hold: threading.Event | None = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                request = Request(self.path, dict(self.headers.items()), body)
                owner.requests.append(request)
                hold = owner.hold
                if hold is not None:
                    hold.wait(PATIENCE_S)
                status = owner.answers.pop(0) if owner.answers else 200
                if owner.refuses(request):
                    status = 400
                try:
                    self.send_response(status)
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", str(len(owner.body)))
                    self.end_headers()
                    self.wfile.write(owner.body)
                except OSError:
                    pass  # whoever asked has given up waiting

            do_GET = do_POST  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that answers 200."""
    server = Endpoint()
    yield server
    server.close()

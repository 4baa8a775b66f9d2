"""The frame around every request: a limit on its body, headers of safety, its count and time, its line in the log.

It refuses to log what a query says, or to let an unexpected error reach the client as anything but a problem.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api import problems
from services.api.errors import ClientGone, TooLarge
from services.api.metrics import ApiMetrics
from services.api.streams.departure import watched

LONGEST_BODY_BYTES: Final = 64 * 1024
LONGER_BODIES: Final[Mapping[str, int]] = {
    "/v1/exports": 2 * 1024 * 1024,
    "/v1/alerts/changes": 256 * 1024,
}
"""Path -> most bytes, where ten thousand sensors may be named, or a thousand alerts with their versions."""
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CLIENT_CLOSED: Final = 499
"""The status in metrics and log of an answer whose client left before its end, as nginx has it; nobody is sent it."""
_LOG: Final = logging.getLogger("citygauge.api")
_BODILESS: Final = frozenset({"GET", "HEAD"})
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Frame:
    """ASGI middleware; the outermost of the application's own."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, images_of: str = "") -> None:
        """Args: images_of: the origin of the map's tiles, the only foreign thing that a page may load; empty: none."""
        self._app, self._metrics = app, metrics
        images = f"img-src 'self' data: {images_of}".rstrip()
        self._policy = CONTENT_SECURITY_POLICY.replace("img-src 'self' data:", images)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = _Exchange(receive, send, self._policy)
        try:
            most = LONGER_BODIES.get(scope["path"], LONGEST_BODY_BYTES)
            if _length(scope) > most:
                raise TooLarge(most)
            if scope["method"] in _BODILESS:
                with watched(exchange.receive):
                    await self._app(scope, exchange.receive, exchange.send)
            else:
                await self._app(scope, _bounded(exchange.receive, most), exchange.send)
        except Exception as error:  # whatever it is, the client gets a problem
            if exchange.left and _of_leaving(error):
                return
            if exchange.status:
                _LOG.error("answer broke off path=%s", scope["path"], exc_info=error)
                raise
            answer = problems.of_error(error, scope["path"])
            await answer(scope, exchange.receive, exchange.send)
        finally:
            self._count(scope, exchange, time.perf_counter() - began)

    def _count(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = scope.get("route")
        template = getattr(route, "path", None) or "(none)"
        if scope["path"].startswith("/assets/"):
            template = "/assets"
        live = template.endswith("/stream")
        status = exchange.status
        if exchange.left and not (live and status):  # a live stream ends when its client leaves
            status = CLIENT_CLOSED
        method = scope["method"] if template != "(none)" else "any"
        self._metrics.requests.labels(method, template, str(status)).inc()
        if not live:
            self._metrics.seconds.labels(template).observe(seconds)
        _LOG.debug(
            "request method=%s path=%s status=%s ms=%.1f",
            scope["method"],
            scope["path"],
            status,
            seconds * 1e3,
        )


class _Exchange:
    """One request and its answer.

    Attributes:
        status: of the answer; 0 before it begins.
        left: whether the client went before the answer was out.
    """

    def __init__(self, receive: Receive, send: Send, policy: str) -> None:
        self._receive, self._send, self._policy = receive, send, policy
        self._whole = False
        self.status = 0
        self.left = False

    async def receive(self) -> Message:
        """What comes from the client; the server also says that it has gone when an answer is out."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._whole:
            self.left = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            _protect(MutableHeaders(scope=message), self._policy)
        elif not message.get("more_body", False) and not self.left:
            self._whole = True
        await self._send(message)


def _of_leaving(error: BaseException) -> bool:
    """Whether it is what became of a query that was stopped because its client left."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_of_leaving, error.exceptions))
    if isinstance(error, ClientGone):
        return True
    return error.__cause__ is not None and _of_leaving(error.__cause__)


def _protect(headers: MutableHeaders, policy: str) -> None:
    for name, value in _ALWAYS.items():
        headers[name] = value
    if headers.get("content-type", "").startswith("text/html"):
        headers["Content-Security-Policy"] = policy
    headers.setdefault("Cache-Control", "no-store")


def _length(scope: Scope) -> int:
    """The length that the request says it has; 0 when it says none."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdigit() else 0


def _bounded(receive: Receive, most: int) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLarge(most)
        return message

    return bounded

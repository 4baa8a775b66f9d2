"""Runs the API with uvicorn until told to stop. It refuses to wait for live streams: they are ended first."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from services.api.app import create_app
from services.api.neighbours import Neighbours
from services.api.settings import ApiSettings
from services.domain.errors import SettingError

_LOG: Final = logging.getLogger("citygauge.api")
_GRACE_S: Final = 3
_LARGEST_MESSAGE_BYTES: Final = 4096
"""Of a WebSocket's client, who has nothing to say."""
_WATCH_S: Final = 0.5


def run(
    settings: ApiSettings,
    database_url: str,
    stop: threading.Event,
    on_listening: Callable[[str], None] | None = None,
    neighbours: Neighbours | None = None,
) -> None:
    """Serve until `stop` is set; requests that are under way get a few seconds to end.

    Args:
        settings: where to listen, and everything else.
        database_url: a PostgreSQL address.
        stop: ends the service.
        neighbours: what other services do for this one.
        on_listening: told the address (http://127.0.0.1:8080) as soon as connections are taken.

    Raises:
        SettingError: the address cannot be listened on, or the certificate cannot be used.
    """
    tls = _tls(settings)
    listener = _listen(settings)
    port = listener.getsockname()[1]
    app = create_app(settings, database_url, neighbours)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=_LARGEST_MESSAGE_BYTES,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_S,
        **tls,
    )
    server = uvicorn.Server(config)
    # A thread of its own: uvicorn takes signals only in the main thread, and those are the command line's.
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="api-server", daemon=True
    )
    thread.start()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http{'s' if tls else ''}://{host}:{port}"
    _LOG.info("listening url=%s", url)
    if on_listening is not None:
        on_listening(url)
    while thread.is_alive() and not stop.wait(_WATCH_S):
        pass
    died = not stop.is_set()
    app.state.tail.end_streams()
    app.state.reading_tail.end_streams()
    server.should_exit = True
    thread.join(_GRACE_S + 5)
    listener.close()
    if died:
        raise RuntimeError("the web server ended by itself; the log says why")
    _LOG.info("stopped")


def _tls(settings: ApiSettings) -> dict[str, Any]:
    """What uvicorn takes to speak HTTPS; nothing for HTTP."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if not certificate and not key:
        return {}
    name = "api.tls_certificate" if certificate else "api.tls_key"
    if not (certificate and key):
        raise SettingError(name, "the certificate needs its key, and the key its certificate")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        fits = "they are no certificate and key in PEM that belong together"
        why = fits if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingError(name, f"{certificate} and {key} cannot be used: {why}") from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def _listen(settings: ApiSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named so that asyncio knows it for TCP and sends small answers at once (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise SettingError(
            "api.port",
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}",
        ) from error
    return listener

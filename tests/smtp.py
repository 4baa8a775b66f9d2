"""A real SMTP server on loopback that keeps what it takes, plain or encrypted; and a private authority."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.embedded.processes import free_port
from tests.waiting import PATIENCE_S


class Mailbox:
    """Keeps what the SMTP server took."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.refused: set[str] = set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such reader"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.encrypted.append(server.transport.get_extra_info("cipher") is not None)
        return "250 taken"


@dataclass(frozen=True)
class Authority:
    """A private certificate authority and its certificate for 127.0.0.1."""

    ca: trustme.CA
    server: trustme.LeafCert

    def context(self) -> ssl.SSLContext:
        """The server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        return context

    def file(self, folder: Path) -> str:
        """A file with the authority's certificate."""
        path = folder / "authority.pem"
        self.ca.cert_pem.write_to_path(str(path))
        return str(path)


@cache
def authority(name: str = "ours") -> Authority:
    """An authority, made once for each name."""
    ca = trustme.CA(organization_name=name)
    return Authority(ca, ca.issue_cert("127.0.0.1"))


class _Smtps(Controller):
    """TLS from the first byte; it asks itself whether it is up with a client that knows its authority."""

    def __init__(self, box: Mailbox, port: int, known: Authority) -> None:
        context = known.context()
        super().__init__(
            box, hostname="127.0.0.1", port=port, ssl_context=context, ready_timeout=PATIENCE_S
        )
        self._known = known

    def _trigger_server(self) -> None:
        context = ssl.create_default_context()
        self._known.ca.configure_trust(context)
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as plain:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()


@contextmanager
def serving(security: str = "none") -> Iterator[tuple[Mailbox, int]]:
    """A server with the certificate of `authority()`: security none, starttls or tls. Its mailbox and port."""
    box, port, known = Mailbox(), free_port(), authority()
    server: Controller
    if security == "tls":
        server = _Smtps(box, port, known)
    elif security == "starttls":
        server = Controller(
            box,
            hostname="127.0.0.1",
            port=port,
            ready_timeout=PATIENCE_S,
            tls_context=known.context(),
            require_starttls=True,
        )
    else:
        server = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_S)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()

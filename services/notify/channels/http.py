"""One request over HTTP(S), one connection each, certificates checked; no redirect followed, no long answer read."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from services.domain.errors import Unavailable
from services.domain.sentences.problem import problem
from services.notify.channels.faults import why
from services.notify.message import one_line
from services.notify.route import tls_context


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: its status line and the beginning of its body."""

    status: int
    reason: str
    body: bytes

    @property
    def yes(self) -> bool:
        """Whether the other side took it."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """The answer on one line, for people."""
        said = one_line(self.body.decode("utf-8", "replace"), 120)
        return problem("answered", answer=f"{self.status} {one_line(self.reason, 60)}: {said}")


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    who: str,
    timeout_s: float,
    ca_file: str | None,
    answer_bytes: int = 512,
) -> HttpAnswer:
    """Post and return the answer, whatever its status; see `ask`."""
    return ask(
        "POST",
        url,
        body,
        headers,
        who=who,
        timeout_s=timeout_s,
        ca_file=ca_file,
        answer_bytes=answer_bytes,
    )


def ask(
    method: Literal["GET", "POST"],
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    who: str,
    timeout_s: float,
    ca_file: str | None,
    answer_bytes: int,
) -> HttpAnswer:
    """Ask and return the answer, whatever its status.

    Args:
        who: the channel and route, for the error; timeout_s: for each step of the connection.

    Raises:
        Unavailable: nobody took the connection, the certificate is wrong, or no answer came in time.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    try:
        connection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=timeout_s, context=tls_context(ca_file)
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        )
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            return HttpAnswer(answer.status, answer.reason, answer.read(answer_bytes))
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unavailable(who, why(error)) from error

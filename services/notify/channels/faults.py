"""Why a connection came to nothing, for the people who look at a route; the fault's own words where they help."""

from __future__ import annotations

import errno
import http.client
import smtplib
import socket
import ssl
from typing import Final

from services.domain.sentences.problem import problem
from services.notify.message import one_line

_NOBODY: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
_BROKEN_OFF: Final = (
    ConnectionError,
    http.client.RemoteDisconnected,
    http.client.IncompleteRead,
    smtplib.SMTPServerDisconnected,
)


def why(error: Exception) -> str:
    """One sentence on one line."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return problem("credentials", answer=_answer(error))
        case smtplib.SMTPRecipientsRefused():
            return problem("readers", answer=one_line(str(error)))
        case smtplib.SMTPResponseException():
            return problem("answered", answer=_answer(error))
        case ssl.SSLCertVerificationError():
            return problem(
                "certificate", fault=one_line(getattr(error, "verify_message", "") or str(error))
            )
        case socket.gaierror():
            return problem("unknown_host")
        case TimeoutError():
            return problem("too_slow")
        case OSError(errno=number) if number in _NOBODY:
            return problem("nobody")
    if isinstance(error, _BROKEN_OFF):
        return problem("broken_off")
    return problem("fault", fault=one_line(f"{type(error).__name__}: {error}"))


def _answer(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return one_line(f"{error.smtp_code} {text}")

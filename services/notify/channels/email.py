"""Tells an alert event as a plain text e-mail over SMTP. It builds headers from single lines only.

Every attempt carries the same Message-ID, so that a mail system which has seen it can drop the second.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from services.domain.errors import Unavailable
from services.notify.channels.faults import why
from services.notify.digest import Told
from services.notify.route import tls_context
from services.notify.settings import EmailRoute

_LOG: Final = logging.getLogger("citygauge.notify")


def email_of(message: Told, route: EmailRoute) -> EmailMessage:
    """The e-mail, headers and text."""
    mail = EmailMessage()
    mail["From"] = route.sender
    mail["To"] = ", ".join(route.to)
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.message_id}.{route.name}@{route.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Citygauge-Message-Id"] = str(message.message_id)
    if not message.test:
        mail["References"] = f"<{message.thread_id}@{route.sender.rpartition('@')[2]}>"
    mail.set_content(message.text)
    return mail


def channel(route: EmailRoute) -> Callable[[Told], str | None]:
    """Sends to all readers of the route in one SMTP session an attempt."""

    def session() -> smtplib.SMTP:
        if route.security != "tls":
            return smtplib.SMTP(route.host, route.port, timeout=route.timeout_s)
        return smtplib.SMTP_SSL(
            route.host, route.port, timeout=route.timeout_s, context=tls_context(route.ca_file)
        )

    def send(message: Told) -> str | None:
        mail = email_of(message, route)
        try:
            with session() as smtp:
                if route.security == "starttls":
                    smtp.starttls(context=tls_context(route.ca_file))
                if route.user is not None and route.password is not None:
                    smtp.login(route.user, route.password.get_secret_value())
                refused = smtp.send_message(mail, route.sender, list(route.to))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise Unavailable(f"e-mail {route.name}", why(error)) from error
        for address in refused:
            _LOG.warning(
                "a reader was refused by the mail server: route=%s address=%s message=%s",
                route.name,
                address,
                message.message_id,
            )
        return f"refused: {', '.join(sorted(refused))}" if refused else None

    return send

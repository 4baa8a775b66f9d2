"""Tells an alert event by a signed HTTP POST of JSON. It follows no redirect and takes no answer but 2xx for a yes.

The receiver checks `X-Citygauge-Signature: sha256=HEX`, the HMAC-SHA256 under the shared secret of the bytes
`TIMESTAMP.BODY` (RFC 2104), where TIMESTAMP is the header `X-Citygauge-Timestamp` (Unix seconds of the attempt), and
drops what it has seen by `Idempotency-Key`, the message's id, which is the same on every attempt. `is_authentic` is
what a receiver does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Final

from services.domain.errors import Unavailable
from services.notify.channels.http import post
from services.notify.digest import Told
from services.notify.settings import WebhookRoute

_TOLERANCE_S: Final = 300
_TIMESTAMP_DIGITS: Final = 12


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Citygauge-Signature."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def is_authentic(secret: str, timestamp: str, body: bytes, sent: str, now_s: float) -> bool:
    """Whether a receiver should believe a request: signed with the secret, and at most five minutes old or early.

    Args:
        timestamp, sent: the headers X-Citygauge-Timestamp and X-Citygauge-Signature; now_s: Unix seconds.
    """
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _TIMESTAMP_DIGITS):
        return False
    fresh = abs(now_s - int(timestamp)) <= _TOLERANCE_S
    right = hmac.compare_digest(signature(secret, timestamp, body).encode(), sent.encode())
    return fresh and right


def channel(route: WebhookRoute, clock: Callable[[], float] = time.time) -> Callable[[Told], None]:
    """Posts to the route's URL, one connection an attempt."""
    who = f"webhook {route.name}"

    def send(message: Told) -> None:
        told = message.as_dict()
        body = json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
        timestamp = str(int(clock()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "citygauge",
            "Idempotency-Key": str(message.message_id),
            "X-Citygauge-Event": str(told["event"]),
            "X-Citygauge-Timestamp": timestamp,
            "X-Citygauge-Signature": signature(route.secret.get_secret_value(), timestamp, body),
        }
        answer = post(
            route.url, body, headers, who=who, timeout_s=route.timeout_s, ca_file=route.ca_file
        )
        if not answer.yes:
            raise Unavailable(who, answer.words)

    return send

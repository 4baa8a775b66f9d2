"""Console sessions: a signed cookie that names a key and an end, and the one-time token of the first sign-in.

It refuses to hold any list of sessions: what the cookie says counts only with our signature (HMAC-SHA256) on it, and
the key that it names is checked again at each request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Final

import msgspec

COOKIE: Final = "citygauge_session"


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie says.

    Attributes:
        key_id: the API key with which the console signed in; None for the one-time token.
        until_s: Unix seconds at which the session ends.
    """

    key_id: str | None
    until_s: int


class Sessions:
    """Signs sessions and reads them back."""

    def __init__(self, secret: str | None, login_token: str | None) -> None:
        self._secret = (secret or secrets.token_urlsafe(32)).encode()
        self._token = None if login_token is None else _digest(login_token)
        self._lock = threading.Lock()

    def sign(self, session: Session) -> str:
        """The cookie's value for a session."""
        body = base64.urlsafe_b64encode(msgspec.json.encode([session.key_id, session.until_s]))
        return f"{body.decode()}.{self._signature(body)}"

    def read(self, cookie: str, now_s: float) -> Session | None:
        """The session of a cookie; None when it is not ours, damaged or over."""
        body, _, signature = cookie.partition(".")
        if not hmac.compare_digest(
            self._signature(body.encode()).encode(), signature.encode("utf-8", "replace")
        ):
            return None
        key_id, until_s = msgspec.json.decode(
            base64.urlsafe_b64decode(body), type=tuple[str | None, int]
        )
        return Session(key_id, until_s) if now_s < until_s else None

    def take_token(self, token: str) -> bool:
        """Whether this is the one-time token; it is forgotten with the first right answer."""
        with self._lock:
            if self._token is None or not hmac.compare_digest(_digest(token), self._token):
                return False
            self._token = None
            return True

    def _signature(self, body: bytes) -> str:
        return hmac.new(self._secret, body, hashlib.sha256).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()

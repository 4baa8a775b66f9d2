"""Who asks, and whether they may: API keys and console sessions become a `Principal`.

It refuses to let a cookie alone change anything: a change by cookie must come from the console's own page.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from services.api.database import Database
from services.api.errors import ForeignRequest, NotSignedIn, ScopeMissing
from services.api.sessions import COOKIE, Session, Sessions
from services.domain.access import Scope, grants
from services.store.api_keys import ApiKey, ApiKeyRepository

CONSOLE_HEADER: Final = "X-Citygauge"
_CACHED_KEYS: Final = 1000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer cg_...`")
header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key")
cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description="The console's session, made by POST /v1/session"
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: written beside every change that they make.
        scopes: what they may do.
        key_id: their API key; None for a console that was signed in by the one-time token.
    """

    name: str
    scopes: tuple[str, ...]
    key_id: str | None


FIRST_OPERATOR: Final = Principal("operator", (Scope.READ, Scope.OPERATE), None)
"""Whom the one-time token signs in."""


class Doorkeeper:
    """Checks keys and sessions against the database, and remembers a good answer for a few seconds."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        cache_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self.sessions, self._cache_s, self.clock = (
            database,
            sessions,
            cache_s,
            clock,
        )
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Principal]] = {}

    def of_key(self, secret: str) -> Principal | None:
        """Whose key this is; None when it is none of ours or was revoked."""
        return self._remembered(_secret_name(secret), lambda keys: keys.verify(secret))

    def known_key(self, secret: str) -> Principal | None:
        """The same from memory alone; None when the database has to be asked."""
        return self._known_as(_secret_name(secret))

    def of_cookie(self, cookie: str) -> Principal | None:
        """Whose session this is; None when it is damaged, over, or its key was revoked."""
        session = self.sessions.read(cookie, self.clock())
        if session is None:
            return None
        return self.of_session(session)

    def of_session(self, session: Session) -> Principal | None:
        """Who holds the session, by its key as it stands now."""
        key_id = session.key_id
        if key_id is None:
            return FIRST_OPERATOR
        return self._remembered(f"id {key_id}", lambda keys: keys.get(key_id))

    def known_cookie(self, cookie: str) -> Principal | None:
        """Whose session this is, from memory alone; None when the database has to be asked, or it is over."""
        session = self.sessions.read(cookie, self.clock())
        if session is None or session.key_id is None:
            return None if session is None else FIRST_OPERATOR
        return self._known_as(f"id {session.key_id}")

    def _known_as(self, name: str) -> Principal | None:
        with self._lock:
            until, principal = self._known.get(name, (0.0, None))
        return principal if self.clock() < until else None

    def _remembered(
        self, name: str, look_up: Callable[[ApiKeyRepository], ApiKey | None]
    ) -> Principal | None:
        now = self.clock()
        principal = self._known_as(name)
        if principal is not None:
            return principal
        with self._database.connection() as connection:
            key = look_up(ApiKeyRepository(connection))
        with self._lock:
            self._known.pop(name, None)
            if key is None or key.revoked_at is not None:
                return None
            principal = Principal(key.name, tuple(key.scopes), str(key.id))
            while len(self._known) >= _CACHED_KEYS:
                self._known.pop(next(iter(self._known)))
            self._known[name] = (now + self._cache_s, principal)
        return principal


def _secret_name(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Requires:
    """A route's guard: who asks must hold the scope.

    Raises:
        NotSignedIn: no key or session, or one that is not valid.
        ScopeMissing: valid, and not enough.
        ForeignRequest: a change by cookie from elsewhere.
    """

    scope: Scope

    async def __call__(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
        header: Annotated[str | None, Security(header)],
        cookie: Annotated[str | None, Security(cookie)],
    ) -> Principal:
        """Who asks; a thread is needed only where the database has to be asked."""
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        secret = bearer.credentials if bearer else header
        known = doorkeeper.known_key(secret) if secret else None
        if known is not None and grants(known.scopes, self.scope):
            return known
        return await run_in_threadpool(self.check, request, secret, cookie)

    def check(self, request: Request, secret: str | None, cookie: str | None) -> Principal:
        """The same for code that may wait: who holds this key, or else this session."""
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        if secret:
            principal = doorkeeper.of_key(secret)
            if principal is None:
                raise NotSignedIn("this API key is not valid; it may have been revoked")
        elif cookie:
            principal = doorkeeper.of_cookie(cookie)
            if principal is None:
                raise NotSignedIn("the session is over; please sign in again")
            if request.method not in _SAFE:
                refuse_foreign(request)
        else:
            raise NotSignedIn(
                "send an API key: the header Authorization: Bearer cg_..., or X-API-Key"
            )
        if not grants(principal.scopes, self.scope):
            raise ScopeMissing(self.scope)
        return principal


def may_at_once(request: Request, scope: Scope) -> bool:
    """Whether a request that changes nothing is known to be allowed, without asking the database; False: ask."""
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    secret = bearer if kind.lower() == "bearer" else request.headers.get("x-api-key")
    if secret:
        known = doorkeeper.known_key(secret)
    else:
        session = request.cookies.get(COOKIE)
        known = doorkeeper.known_cookie(session) if session else None
    return known is not None and grants(known.scopes, scope)


def refuse_foreign(request: Request) -> None:
    """Raise ForeignRequest unless the console's own page made the request."""
    refuse_foreign_origin(request)
    if request.headers.get(CONSOLE_HEADER) != "console":
        raise ForeignRequest


def refuse_foreign_origin(request: Request) -> None:
    """Raise ForeignRequest when a browser says that a page of another host made the request."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise ForeignRequest


read = Requires(Scope.READ)
operate = Requires(Scope.OPERATE)

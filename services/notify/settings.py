"""Settings of notify: which routes exist, whom each tells what, and how patient it is. It reads no environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from services.notify.public_routes import AppriseRoute, CapRoute, Open311Route
from services.notify.route import (
    CA_FILE,
    Channel,
    RouteBase,
    http_address,
    plain_address,
    readable_authority,
)

__all__ = [
    "AppriseRoute",
    "CapRoute",
    "Channel",
    "EmailRoute",
    "LogRoute",
    "NotifySettings",
    "Open311Route",
    "Route",
    "WebhookRoute",
]


class LogRoute(RouteBase):
    """Writes a line into the service's own log."""

    channel: Literal[Channel.LOG] = Field(Channel.LOG, description="log")


class WebhookRoute(RouteBase):
    """Posts signed JSON to a URL."""

    channel: Literal[Channel.WEBHOOK] = Field(Channel.WEBHOOK, description="webhook")
    url: str = Field(description="http:// or https:// address that takes the POST")
    secret: SecretStr = Field(
        min_length=16, description="key of the HMAC-SHA256 signature, at least 16 characters"
    )
    ca_file: str | None = CA_FILE

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        return http_address(url)

    @field_validator("ca_file")
    @classmethod
    def _authority(cls, path: str | None) -> str | None:
        return readable_authority(path)


class EmailRoute(RouteBase):
    """Sends plain text by SMTP."""

    channel: Literal[Channel.EMAIL] = Field(Channel.EMAIL, description="email")
    host: str = Field(min_length=1, description="name of the SMTP server")
    port: int = Field(587, ge=1, le=65535, description="port of the SMTP server")
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="how the connection is encrypted: none, starttls or tls"
    )
    user: str | None = Field(None, description="name to sign in with; without one nobody signs in")
    password: SecretStr | None = Field(None, description="password of the user")
    sender: str = Field(description="address in From")
    to: tuple[str, ...] = Field(min_length=1, max_length=50, description="addresses of the readers")
    ca_file: str | None = CA_FILE

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            plain_address(address)
        return value

    @field_validator("ca_file")
    @classmethod
    def _authority(cls, path: str | None) -> str | None:
        return readable_authority(path)

    @model_validator(mode="after")
    def _secret_stays_secret(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("give user and password, or neither")
        if self.user is not None and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("a password needs security = starttls or tls")
        return self


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Route = Annotated[
    LogRoute | WebhookRoute | EmailRoute | AppriseRoute | CapRoute | Open311Route,
    Field(discriminator="channel"),
]


class NotifySettings(BaseModel):
    """How alert events reach people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    routes: tuple[Route, ...] = Field(
        (LogRoute(name="log"),),
        description="the routes; an event goes to each whose events, severity, domains, zones, rules and hours fit",
    )
    console_url: str | None = Field(
        None,
        description="address at which people reach the console; with it messages carry a link to their alert",
    )
    poll_s: float = Field(
        1.0, ge=0.01, le=60, description="seconds between looks when no hint of news arrives"
    )
    first_retry_s: float = Field(
        5.0,
        ge=0.01,
        le=3600,
        description="seconds to the second attempt; doubled for each further one",
    )
    longest_retry_s: float = Field(
        1800.0, ge=0.01, le=86400, description="longest pause between two attempts, in seconds"
    )
    attempts: int = Field(
        60, ge=1, le=1000, description="attempts after which a delivery is given up, visibly"
    )
    lease_s: float = Field(
        60.0,
        ge=0.1,
        le=3600,
        description="seconds after which a delivery that a killed notifier had in hand is made again",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address on which /metrics listens; loopback unless in a container"
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics; 0 serves none")

    @field_validator("routes")
    @classmethod
    def _named_once(cls, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        names = [route.name for route in routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the name {name!r} is given to two routes")
        for route in routes:
            _check_escalation(route, routes)
            if route.digest is not None and route.repeat_minutes is not None:
                raise ValueError(f"the route {route.name!r} has a digest, which is not repeated")
        return routes

    @field_validator("console_url")
    @classmethod
    def _console(cls, url: str | None) -> str | None:
        return None if url is None else http_address(url).rstrip("/")


def _check_escalation(route: Route, routes: Sequence[Route]) -> None:
    """Refuse an escalation to a route that is not there, or in a circle."""
    by_name = {each.name: each for each in routes}
    seen, at = [route.name], route
    while at.escalate_to is not None:
        if at.escalate_to not in by_name:
            raise ValueError(
                f"the route {at.name!r} escalates to {at.escalate_to!r}, which is not there; "
                f"there are {', '.join(by_name)}"
            )
        if at.escalate_to in seen:
            raise ValueError(
                f"the routes escalate in a circle: {' -> '.join([*seen, at.escalate_to])}"
            )
        seen.append(at.escalate_to)
        at = by_name[at.escalate_to]
    if not route.direct and route.name not in {each.escalate_to for each in routes}:
        raise ValueError(
            f"nobody would hear of anything by the route {route.name!r}: direct is false and no route escalates to it"
        )

"""Routes beyond the own staff: SMS, chat and push through Apprise, the CAP feed, a city's 311 system.

They refuse, with a sentence, what the other side's standard has no room for.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.domain.alert import EventKind
from services.domain.condition import Rule
from services.notify.hours import Digest
from services.notify.message import GROWING
from services.notify.route import (
    CA_FILE,
    Channel,
    RouteBase,
    http_address,
    plain_address,
    readable_authority,
)

NOT_INSTALLED: Final = (
    "the package apprise is not installed; install it with: pip install 'citygauge[apprise]'"
)
_CAP_NAME: Final = re.compile(r"[^\s,<&]{1,200}")


class AppriseRoute(RouteBase):
    """Sends SMS, chat and push messages through Apprise, which knows more than a hundred services."""

    channel: Literal[Channel.APPRISE] = Field(Channel.APPRISE, description="apprise")
    url: SecretStr = Field(
        description="the service and its credentials as Apprise writes them, such as twilio://..., ntfy://..., "
        "tgram://..., msteams://...; one for each route, so that a retry repeats nothing elsewhere"
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        plugin(url.get_secret_value())
        return url


class CapRoute(RouteBase):
    """Publishes CAP 1.2 messages for emergency services, at /v1/cap/NAME of the API."""

    channel: Literal[Channel.CAP] = Field(Channel.CAP, description="cap")
    events: tuple[EventKind, ...] = Field(
        (
            EventKind.RAISED,
            EventKind.ESCALATED,
            EventKind.CLEARED,
            EventKind.RESOLVED,
            EventKind.UNSHELVED,
            EventKind.UNSUPPRESSED,
        ),
        min_length=1,
        description="which changes of an alert are published: what begins is an Alert, what follows an Update, "
        "its end a Cancel",
    )
    sender: str = Field(
        description="who sends, in a form that is unique in the world, such as citygauge@example.org"
    )
    sender_name: str | None = Field(None, max_length=200, description="the same for people")
    contact: str | None = Field(None, max_length=200, description="whom to call")
    status: Literal["Actual", "Exercise", "Test"] = Field(
        "Actual", description="whether the messages are meant: Actual, Exercise or Test"
    )
    scope: Literal["Public", "Restricted", "Private"] = Field(
        "Restricted", description="for whom they are: Public, Restricted or Private"
    )
    restriction: str = Field(
        "For emergency services and the operators of the network.",
        min_length=1,
        max_length=500,
        description="the rule of a Restricted message",
    )
    addresses: tuple[str, ...] = Field((), description="the recipients of a Private message")
    instruction: str | None = Field(None, max_length=2000, description="what recipients should do")
    radius_km: float = Field(
        0.1, ge=0, le=1000, description="radius of the circle around the place, in kilometres"
    )
    expires_hours: float = Field(
        24.0, ge=1, le=720, description="hours after which a message is no longer in force"
    )

    @field_validator("sender")
    @classmethod
    def _unique_name(cls, sender: str) -> str:
        if _CAP_NAME.fullmatch(sender) is None:
            raise ValueError(f"{sender!r} has a space, a comma, < or &, which CAP does not allow")
        return sender

    @model_validator(mode="after")
    def _fits_the_standard(self) -> Self:
        if self.scope == "Private" and not self.addresses:
            raise ValueError("a Private message needs addresses")
        if any(not address.strip() or '"' in address for address in self.addresses):
            raise ValueError("an address of CAP has at least one character and no quotation mark")
        _no_digest(self.digest)
        return self


class Open311Route(RouteBase):
    """Files service requests with a city's 311 system (Open311 GeoReport v2); the number it answers is kept."""

    channel: Literal[Channel.OPEN311] = Field(Channel.OPEN311, description="open311")
    events: tuple[EventKind, ...] = Field(
        (EventKind.RAISED,),
        min_length=1,
        description="which changes of an alert file a service request; GeoReport cannot change one afterwards",
    )
    url: str = Field(description="address of the GeoReport v2 endpoint, without requests.xml")
    form: Literal["xml", "json"] = Field("xml", description="how it answers: xml or json")
    jurisdiction_id: str | None = Field(None, description="the jurisdiction, where it asks for one")
    api_key: SecretStr | None = Field(None, description="the key that it gave you")
    service_code: str = Field(min_length=1, description="which of its services takes our requests")
    service_codes: Mapping[Rule, str] = Field(
        {}, description="other services by rule, such as { congestion = '042' }"
    )
    attributes: Mapping[str, str] = Field(
        {}, description="attributes that the service asks for, by code"
    )
    email: str | None = Field(None, description="address that it may write to about a request")
    ca_file: str | None = CA_FILE

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        return http_address(url).rstrip("/")

    @field_validator("email")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        return None if address is None else plain_address(address)

    @field_validator("ca_file")
    @classmethod
    def _authority(cls, path: str | None) -> str | None:
        return readable_authority(path)

    @model_validator(mode="after")
    def _fits_the_standard(self) -> Self:
        late = [kind.value for kind in self.events if kind not in GROWING]
        if late:
            raise ValueError(
                f"a service request cannot tell of {', '.join(late)}: GeoReport v2 cannot change a request"
            )
        _no_digest(self.digest)
        return self


def plugin(url: str) -> Any:
    """Apprise's sender for a URL.

    Raises:
        ValueError: Apprise is not installed, or knows no such URL.
    """
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise ValueError(NOT_INSTALLED) from None
    made = apprise.Apprise.instantiate(url)
    if made is None:
        scheme = url.partition("://")[0]
        raise ValueError(
            f"Apprise cannot read this address ({scheme}://...): see its documentation of that service"
        )
    return made


def _no_digest(digest: Digest | None) -> None:
    if digest is not None:
        raise ValueError("systems take messages one by one: this channel has no digest")

"""What every route has: which alerts it hears of, when, how often, and who hears next when nobody answers.

It refuses, with a sentence, what could never work: a template with a field that messages lack, a time that is none,
a certificate that cannot be read.
"""

from __future__ import annotations

import re
import ssl
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.domain.alert import EventKind
from services.domain.catalogue import Domain
from services.domain.condition import Rule, Severity
from services.domain.sentences.language import LANGUAGES, language_of
from services.notify.hours import Day, Digest, span_of, time_of, zone_of
from services.notify.template import check_template

_TAG: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Channel(StrEnum):
    """A way to reach people or their systems."""

    LOG = "log"
    WEBHOOK = "webhook"
    EMAIL = "email"
    APPRISE = "apprise"
    CAP = "cap"
    OPEN311 = "open311"


class RouteBase(BaseModel):
    """The settings that routes of every channel share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="name of the route, kept with its deliveries: lower-case letters, digits, _ and -",
    )
    minimal_severity: Severity = Field(
        Severity.INFO,
        description="tell only of alerts at least this severe: info, warning, critical",
    )
    events: tuple[EventKind, ...] = Field(
        (
            EventKind.RAISED,
            EventKind.ESCALATED,
            EventKind.CLEARED,
            EventKind.UNSHELVED,
            EventKind.UNSUPPRESSED,
        ),
        min_length=1,
        description="which changes of an alert are told",
    )
    domains: tuple[Domain, ...] = Field((), description="only these domains; empty: all")
    zones: tuple[str, ...] = Field((), description="only these zones; empty: all")
    rules: tuple[Rule, ...] = Field((), description="only alerts of these rules; empty: all")
    hours: str | None = Field(
        None, description='only at this time of day, such as "08:00-18:00"; none: always'
    )
    days: tuple[Day, ...] = Field(
        (), description="only on these days (mon, tue, wed, thu, fri, sat, sun); empty: all"
    )
    time_zone: str | None = Field(
        None,
        description="IANA zone of hours, days, quiet hours and digests; none: that of the place where the alert is, "
        "UTC where it has none",
    )
    direct: bool = Field(
        True, description="false: hears only of what another route hands on by escalate_to"
    )
    escalate_to: str | None = Field(
        None, description="route that is told when nobody has acknowledged the alert in time"
    )
    escalate_after_minutes: float = Field(
        15.0, gt=0, le=10_080, description="minutes without acknowledgement until escalate_to"
    )
    repeat_minutes: float | None = Field(
        None,
        ge=1,
        le=10_080,
        description="minutes after which it is told again while nobody has acknowledged; none: never",
    )
    quiet_hours: str | None = Field(
        None,
        description='what is less severe than urgent_severity is held back in these hours ("22:00-07:00") and '
        "told at their end",
    )
    digest: Digest | None = Field(
        None,
        description="gather what is less severe than urgent_severity into one message: hourly or daily; none: "
        "one message each",
    )
    digest_at: str = Field("07:00", description="time of day of a daily digest")
    urgent_severity: Severity = Field(
        Severity.CRITICAL,
        description="alerts at least this severe wait neither for quiet hours nor for a digest",
    )
    language: str = Field(
        "en",
        description="language of what is told: en, es, or a tag such as es-MX; an alert that was stored without it is "
        "told in English",
    )
    title: str | None = Field(
        None,
        description='template of the first line, such as "{severity}: {sentence}"; none: as Citygauge words it',
    )
    text: str | None = Field(None, description="template of the text; none: as Citygauge words it")
    timeout_s: float = Field(
        5.0, ge=0.1, le=60, description="seconds without an answer after which a sending failed"
    )

    @field_validator("hours", "quiet_hours")
    @classmethod
    def _spans(cls, value: str | None) -> str | None:
        if value is not None:
            span_of(value)
        return value

    @field_validator("digest_at")
    @classmethod
    def _moment(cls, value: str) -> str:
        time_of(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_of(value)
        return value

    @field_validator("language")
    @classmethod
    def _spoken(cls, tag: str) -> str:
        if _TAG.fullmatch(tag) is None or language_of(tag) is None:
            known = ", ".join(LANGUAGES)
            raise ValueError(f"{tag!r} is no language that Citygauge speaks: {known}")
        return tag

    @field_validator("title", "text")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        if value is not None:
            check_template(value)
        return value


CA_FILE: str | None = Field(
    None,
    description="file with the certificates (PEM) of the authority that signed the server's; none: the system's",
)


def readable_authority(path: str | None) -> str | None:
    """The path, when TLS can be checked with the certificates in it.

    Raises:
        ValueError: the file cannot be read or holds no certificate.
    """
    if path is not None:
        tls_context(path)
    return path


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A client's context that checks the server's certificate and name; made once for each state of the file.

    Raises:
        ValueError: the file cannot be read or holds no certificate.
    """
    try:
        changed_ns = 0 if ca_file is None else Path(ca_file).stat().st_mtime_ns
        return _context(ca_file, changed_ns)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        if isinstance(error, ssl.SSLError):
            why = "it holds no certificate in PEM"
        raise ValueError(f"the certificates in {ca_file} cannot be used: {why}") from error


@lru_cache(maxsize=64)
def _context(ca_file: str | None, changed_ns: int) -> ssl.SSLContext:
    """Reading the system's authorities takes tens of milliseconds: not for each message."""
    return ssl.create_default_context(cafile=ca_file)


def http_address(url: str) -> str:
    """The address, when requests can be sent to it.

    Raises:
        ValueError: with what would do.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address that begins with http:// or https:// and names a host")
    if not url.isprintable() or " " in url:
        raise ValueError("an address without spaces and control characters")
    if parts.username is not None or parts.fragment:
        raise ValueError("an address without a user name and without a fragment")
    return url


def plain_address(address: str) -> str:
    """The e-mail address, when it is one and nothing else.

    Raises:
        ValueError: with what would do.
    """
    name, at, domain = address.rpartition("@")
    plain = address.isascii() and address.isprintable() and not set(address) & set(' <>,;"')
    if not (plain and name and at and domain):
        raise ValueError(f"{address!r} is not a plain address such as ops@example.org")
    return address

"""The address of an MQTT broker, as people write it: mqtt[s]://user:password@host:port, with ?ca=FILE for TLS.

It refuses to show the password, in its own errors too, and to open the file.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from services.domain.errors import SettingError

_PORTS: Final[Mapping[str, int]] = {"mqtt": 1883, "mqtts": 8883}
_FORM: Final = "is not mqtt[s]://user:password@host:port"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is, and as whom to go there.

    Attributes:
        tls: the connection is encrypted; ca: file with the certificates (PEM) of the authority that signed the
            broker's; None: the system's.
    """

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)
    ca: str | None

    @property
    def name(self) -> str:
        """For a log: without user and password."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> BrokerAddress:
        """The address that a text means.

        Raises:
            SettingError: it is none; the message never holds the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise SettingError("MQTT_URL", _FORM) from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise SettingError("MQTT_URL", _FORM)
        return cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            parts.scheme == "mqtts",
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            parse_qs(parts.query).get("ca", [None])[0],
        )

    def untrusted(self, error: OSError) -> SettingError:
        """The error that its authority's certificates cannot be used."""
        no_pem = isinstance(error, ssl.SSLError)
        why = "it holds no certificate in PEM" if no_pem else error.strerror
        return SettingError("MQTT_URL", f"the certificates in {self.ca} cannot be used: {why}")

"""Renders mosquitto's configuration: the embedded broker's and the one of deploy/.

It renders text and touches no file. What mosquitto cannot do stays true: its persistence is a
snapshot every `autosave_interval_s`, so a broker that is killed forgets what it took since then and
had not yet handed to ingest, although it has acknowledged it (docs/decisions/0016-broker-kill.md).
"""

import base64
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

SERVICE_USER = "citygauge-service"
DEVICE_USER = "device"
DEVICE_TOPICS = (
    "citygauge/#",
    "application/#",  # ChirpStack
    "v3/#",  # The Things Stack
    "v1/#",  # ThingsBoard
    "senml/#",
    "wmbusmeters/#",
    "rtlamr/#",
    "rtl_433/#",
    "zigbee2mqtt/#",
    "tele/#",  # Tasmota
)
_ITERATIONS = 101
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user may do, as topic filters."""

    user: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerConfiguration:
    """Mosquitto's settings that the services rely on.

    A client's queue is bounded by count and by bytes of payload, whichever is reached first; past
    that, mosquitto drops new messages for that client, silently. `persistent_client_expiration`
    forgets the sessions, and the queued messages, of clients that have been away for so long: it
    must be longer than the longest planned standstill of the services.
    """

    listener: str
    password_file: PurePath
    access_file: PurePath
    persistence_folder: PurePath
    log_destination: str = "stderr"
    autosave_interval_s: int = 10
    max_queued_messages: int = 5_000_000
    max_queued_bytes: int = 1024 * _MIB
    max_inflight_messages: int = 65_535
    message_size_limit_bytes: int = _MIB
    persistent_client_expiration: str = "14d"


def render_configuration(settings: BrokerConfiguration) -> str:
    """The text of mosquitto.conf."""
    lines = {
        "per_listener_settings": "false",
        "listener": settings.listener,
        "allow_anonymous": "false",
        "password_file": settings.password_file,
        "acl_file": settings.access_file,
        "persistence": "true",
        "persistence_location": f"{settings.persistence_folder}/",
        "autosave_interval": settings.autosave_interval_s,
        "persistent_client_expiration": settings.persistent_client_expiration,
        "max_queued_messages": settings.max_queued_messages,
        "max_queued_bytes": settings.max_queued_bytes,
        "max_inflight_messages": settings.max_inflight_messages,
        "message_size_limit": settings.message_size_limit_bytes,
        "set_tcp_nodelay": "true",
        "log_dest": settings.log_destination,
        "log_timestamp_format": "%Y-%m-%dT%H:%M:%S%z",
        "connection_messages": "false",
    }
    kinds = [f"log_type {kind}" for kind in ("error", "warning", "notice", "information")]
    return "\n".join([*(f"{name} {value}" for name, value in lines.items()), *kinds]) + "\n"


def default_grants(device_topics: Iterable[str] = DEVICE_TOPICS) -> tuple[Grant, Grant]:
    """The services read and write everything; devices publish to their topics and read nothing.

    A shared subscription ($share/...) is judged by the topics of the messages, not by its filter.
    """
    service = Grant(SERVICE_USER, publish=("#",), subscribe=("#", "$SYS/#"))
    return service, Grant(DEVICE_USER, publish=tuple(device_topics))


def render_access(grants: Iterable[Grant]) -> str:
    """The text of the access-control file: what is not granted is refused."""
    lines = []
    for grant in grants:
        lines.append(f"user {grant.user}")
        lines += [f"topic write {topic}" for topic in grant.publish]
        lines += [f"topic read {topic}" for topic in grant.subscribe]
        lines.append("")
    return "\n".join(lines)


def render_password(user: str, password: str) -> str:
    """A line of the password file: mosquitto's `$7$`, which is PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    encoded = [base64.b64encode(each).decode() for each in (salt, digest)]
    return f"{user}:$7${_ITERATIONS}${'$'.join(encoded)}\n"

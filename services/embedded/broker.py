"""Runs a private mosquitto on a loopback port, for the demo and the tests.

Everyone needs a password: the services may do everything, devices may only publish, on their
topics. Its sessions and queues survive a stop and, up to the last snapshot, a kill.
"""

import re
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from services.embedded.accounts import hand_over
from services.embedded.broker_configuration import (
    DEVICE_TOPICS,
    SERVICE_USER,
    BrokerConfiguration,
    default_grants,
    render_access,
    render_configuration,
    render_password,
)
from services.embedded.cache import Progress, silent
from services.embedded.guardian import send
from services.embedded.prefix import Prefix
from services.embedded.processes import TetheredProcess
from services.embedded.server import EmbeddedServer, kept_secret

_SNAPSHOT_S = 60.0
"""How long it may take to write a full queue at its polite stop; about 2 s a million messages."""
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedBroker(EmbeddedServer):
    """A mosquitto with two users. Its folder keeps the passwords, the sessions and the queues."""

    name: ClassVar[str] = "the MQTT broker"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int | None = None,
        progress: Progress = silent,
        device_topics: Iterable[str] = DEVICE_TOPICS,
        autosave_interval_s: int = 10,
    ) -> None:
        super().__init__(folder, port=port, progress=progress)
        self._grants = default_grants(device_topics)
        self._autosave_interval_s = autosave_interval_s
        self._passwords: dict[str, str] = {}

    def url(self, user: str = SERVICE_USER) -> str:
        """The broker's address for one of its users, with the password."""
        return f"mqtt://{quote(user)}:{self.password(user)}@127.0.0.1:{self.port}"

    def password(self, user: str) -> str:
        """A user's password."""
        return self._passwords[user]

    def save(self) -> None:
        """Ask for a snapshot of sessions and queues now; the broker takes it when it comes to it."""
        if self._process is not None:
            send(self._process.pid, signal.SIGUSR1)

    @property
    def configuration(self) -> BrokerConfiguration:
        """The settings in force."""
        return BrokerConfiguration(
            listener=f"{self.port} 127.0.0.1",
            password_file=self.folder / "passwords",
            access_file=self.folder / "access",
            persistence_folder=self.folder / "data",
            autosave_interval_s=self._autosave_interval_s,
        )

    def _prepare(self, prefix: Prefix) -> None:
        users = [grant.user for grant in self._grants]
        self._passwords = {user: kept_secret(self.folder / f"{user}-password") for user in users}
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        hand_over(data, self._account)
        lines = [render_password(user, password) for user, password in self._passwords.items()]
        self._write("passwords", "".join(lines))
        self._write("access", render_access(self._grants))

    def _write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)
        hand_over(file, self._account)
        return file

    def _spawn(self, prefix: Prefix, port: int, lock: int) -> TetheredProcess:
        self._port = port
        settings = replace(self.configuration, listener=f"{port} 127.0.0.1")
        configuration = self._write("mosquitto.conf", render_configuration(settings))
        return TetheredProcess.start(
            self.name,
            [prefix.mosquitto, "-c", configuration],
            log=self.log,
            grace=_SNAPSHOT_S,
            account=self._account,
            environment=_ENVIRONMENT,
            holding=[lock],
        )

    def _answers(self, process: TetheredProcess) -> bool:
        """It says so in its log; a connection could be to somebody else's broker on the port."""
        return re.search(rb"mosquitto version \S+ running", process.said()) is not None

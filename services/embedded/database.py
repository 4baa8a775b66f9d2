"""Runs a private PostgreSQL with TimescaleDB on a loopback port, for the demo and the tests.

It holds the settings that the services' promises need and makes databases, templates and clones.
It knows no table: what is inside a database is the business of `services.store`. The statements
here administer the server; they are the only ones outside the store.
"""

import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from services.embedded.accounts import hand_over
from services.embedded.cache import Progress, silent
from services.embedded.commands import run
from services.embedded.contents import Contents, kept_cluster
from services.embedded.errors import FolderInUse, PrefixUnavailable
from services.embedded.prefix import Prefix, ensure_prefix
from services.embedded.processes import TetheredProcess
from services.embedded.server import EmbeddedServer, kept_secret

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "timescaledb.max_background_workers": "16",
        "max_worker_processes": "32",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",
        "synchronous_commit": "on",
        "idle_in_transaction_session_timeout": "60s",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
    }
)
"""Given on the command line at each start, so that they hold for an older folder, too."""

_UNSAFE = {"fsync": "off", "full_page_writes": "off"}
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_ZONES = Path("/usr/share/zoneinfo/UTC")
_SUPERUSER, _SECRET = "postgres", "superuser-password"

_CREATE: LiteralString = "CREATE DATABASE {}"
_CREATE_FROM: LiteralString = "CREATE DATABASE {} TEMPLATE {} STRATEGY {}"
_DROP: LiteralString = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
_FREEZE: LiteralString = "ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
_EXISTS = "SELECT true FROM pg_database WHERE datname = %s"
_END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
_ALTER: LiteralString = "ALTER ROLE {} PASSWORD {}"
_EXTENSION = "CREATE EXTENSION IF NOT EXISTS timescaledb"
_NO_REORDER_ERRORS = (  # job 3 of the Apache edition logs an error at each run
    "UPDATE _timescaledb_config.bgw_job SET scheduled = false WHERE id = 3"
)


class EmbeddedDatabase(EmbeddedServer):
    """A PostgreSQL server. Its folder is made on first use; a commit is durable unless `unsafe`."""

    name: ClassVar[str] = "TimescaleDB"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        within: Path | None = None,
        port: int | None = None,
        progress: Progress = silent,
        unsafe: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
        contents: Contents | None = None,
    ) -> None:
        """`unsafe` does without fsync: for tests that lose the database with the machine.

        `contents`: a temporary folder begins as a copy of a cluster with them, which is kept in the cache.
        """
        super().__init__(folder, within=within, port=port, progress=progress)
        self._settings = {**SETTINGS, **(_UNSAFE if unsafe else {}), **settings}
        # Copying files costs half of the CPU of copying blocks, but syncs each of them where a commit is durable.
        self._strategy = sql.SQL("FILE_COPY" if unsafe else "WAL_LOG")
        self._contents = contents
        self._password = self._former_password = ""
        self._names = itertools.count(1)

    def url(self, database: str = "citygauge") -> str:
        """The address of a database, with the superuser's password."""
        place = f"127.0.0.1:{self.port}/{quote(database, safe='')}"
        return f"postgresql://{_SUPERUSER}:{self._password}@{place}"

    def create(self, database: str = "citygauge") -> str:
        """Make a database with TimescaleDB in it, unless it is there, and return its address."""
        with self._administration() as connection:
            if connection.execute(_EXISTS, [database]).fetchone() is None:
                connection.execute(sql.SQL(_CREATE).format(sql.Identifier(database)))
        with self._administration(database) as connection:
            connection.execute(_EXTENSION)
            connection.execute(_NO_REORDER_ERRORS)
        return self.url(database)

    def create_template(self, template: str, prepare: Callable[[str], None]) -> None:
        """Make a database, let `prepare` fill it by its address, and freeze it for `clone`."""
        prepare(self.create(template))
        with self._administration() as connection:
            connection.execute(sql.SQL(_FREEZE).format(sql.Identifier(template)))
            # TimescaleDB's worker too: a session on the template would block its copying.
            connection.execute(_END_SESSIONS, [template])

    def clone(self, template: str, database: str | None = None) -> str:
        """Copy a template under a name, made up if not given, and return the copy's address."""
        name = database or f"{template}_{next(self._names)}"
        with self._administration() as connection:
            names = sql.Identifier(name), sql.Identifier(template)
            connection.execute(sql.SQL(_CREATE_FROM).format(*names, self._strategy))
        return self.url(name)

    def drop(self, database: str) -> None:
        """Remove a database, ending the sessions on it."""
        with self._administration() as connection:
            connection.execute(sql.SQL(_DROP).format(sql.Identifier(database)))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _administration(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            self.url(database), autocommit=True, options="-c client_min_messages=error"
        )

    def _prepare(self, prefix: Prefix) -> None:
        if not _ZONES.exists():
            raise PrefixUnavailable(
                "this host has no time zones in /usr/share/zoneinfo, which PostgreSQL reads",
                "Install the package tzdata",
            )
        secret = self.folder / _SECRET
        self._password = kept_secret(secret)
        if self._data.exists():
            return
        if self._contents is not None and self._given_folder is None:
            # Where the cache cannot be written there is nothing to copy.
            with contextlib.suppress(OSError):
                make = partial(self._make_contents, self._contents)
                self._copy(kept_cluster(self._contents, prefix, make, self._progress))
                return
        self._progress("Creating the database")
        self._initialise(prefix, secret)

    def _launch(self, prefix: Prefix) -> None:
        super()._launch(prefix)
        if self._former_password:
            self._change_password()

    def _make_contents(self, contents: Contents, folder: Path) -> None:
        """Leave a stopped server with the contents in a folder, safe from the loss of power."""
        self._progress("Preparing a database to begin with (once)")
        with EmbeddedDatabase(folder) as server:
            contents.prepare(server.create(contents.database))
        initdb = ensure_prefix().postgres("initdb")
        run(
            [initdb, "--sync-only", "-D", folder / "data"],
            environment=_ENVIRONMENT,
            folder=Path("/"),
            account=self._account,
        )

    def _copy(self, original: Path) -> None:
        """Begin as a copy; until the password is changed it is the original's, which its owner alone can read."""
        unfinished = self._unfinished()
        command: list[str | Path] = ["cp", "-a", "--reflink=auto", f"{original}/data/.", unfinished]
        run(command, environment=_ENVIRONMENT, folder=Path("/"), account=self._account)
        self._former_password = kept_secret(original / _SECRET)
        unfinished.rename(self._data)

    def _change_password(self) -> None:
        """The server is told a verifier: the password itself reaches neither its log nor its statistics."""
        new, self._password = self._password, self._former_password
        with self._administration() as connection:
            verifier = connection.pgconn.encrypt_password(new.encode(), _SUPERUSER.encode())
            statement = sql.SQL(_ALTER).format(
                sql.Identifier(_SUPERUSER), sql.Literal(verifier.decode())
            )
            connection.execute(statement)
        self._password, self._former_password = new, ""

    def _unfinished(self) -> Path:
        """A folder of its own for a new cluster, so that half a database is never taken for one."""
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        hand_over(unfinished, self._account)
        return unfinished

    def _initialise(self, prefix: Prefix, secret: Path) -> None:
        unfinished = self._unfinished()
        hand_over(secret, self._account)
        command: list[str | Path] = [prefix.postgres("initdb"), "-D", unfinished, "-U", _SUPERUSER]
        command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
        # Many rounds make guessing dear, and each connection too. This password is random: nobody guesses it.
        command += ["-c", "scram_iterations=1"]
        run(command, environment=_ENVIRONMENT, folder=Path("/"), account=self._account)
        unfinished.rename(self._data)

    def _remove_stale_pid_file(self) -> None:
        """Forget a server that was killed; its pid may belong to somebody else by now.

        This process holds the folder's lock, so only a server started by other means can be there.
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = pid_file.read_text().split("\n")[0].strip()
        try:
            alive = pid.isdigit() and os.readlink(f"/proc/{pid}/cwd") == str(self._data.resolve())
        except OSError:
            alive = False
        if alive:
            raise FolderInUse(self.folder)
        pid_file.unlink()

    def _spawn(self, prefix: Prefix, port: int, lock: int) -> TetheredProcess:
        self._remove_stale_pid_file()
        command: list[str | Path] = [prefix.postgres("postgres"), "-D", self._data, "-p", str(port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return TetheredProcess.start(
            self.name,
            command,
            log=self.log,
            account=self._account,
            stop_signal=signal.SIGINT,
            grace=20,
            environment=_ENVIRONMENT,
            holding=[lock],
        )

    def _answers(self, process: TetheredProcess) -> bool:
        """The server writes its state into the eighth line of its pid file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

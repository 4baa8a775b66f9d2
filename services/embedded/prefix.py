"""Finds or builds the private folder with PostgreSQL, TimescaleDB and mosquitto.

The programs come from Debian's signed packages and run with their own C library, so the host's
release does not matter; nothing is installed on the host and no root is needed. The folder's name
carries a digest of the recipe: a changed recipe builds a new folder, and old ones may be removed.
It does not start anything, and it builds for Linux hosts with apt only.
"""

import hashlib
import re
import shlex
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from services.embedded.accounts import require_reachable, server_account
from services.embedded.apt import Package, PrivateApt
from services.embedded.cache import (
    Progress,
    cache_folder,
    locked,
    made_whole,
    make_cache_folder,
    silent,
)
from services.embedded.commands import run
from services.embedded.errors import PrefixUnavailable

_SUITE = "trixie"
_POSTGRES = "17"
_ROOTS = (f"postgresql-{_POSTGRES}", f"postgresql-{_POSTGRES}-timescaledb", "mosquitto")
_WANTED = re.compile(
    rf"lib|zlib1g|tzdata|postgresql-{_POSTGRES}|postgresql-client-{_POSTGRES}|mosq"
)
_UNUSED = re.compile(  # what only package scripts, Perl tools, logins and the JIT compiler need
    r"lib(llvm|z3|perl|ipc-run|json-perl|io-pty|text-|c-bin|c-l10n|c-gconv|debconf|semanage|sepol"
    r"|pam-modules|gdbm|db5|proc2|audit-common|acl1|attr1|bsd0|md0|ncurses|edit|ffi|gcrypt"
    r"|gpg-error|bz2|sasl2-modules)"
)
_EXCLUDED = (
    "./etc/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
    "./usr/share/lintian/*",
    "./usr/share/bug/*",
    "./usr/share/postgresql/*/man/*",
    "./usr/share/postgresql-common/*",
    "./usr/share/postgresql/*/extension/timescaledb--[0-9]*--*.sql",
    "./usr/lib/postgresql/*/lib/bitcode/*",
    "./usr/lib/postgresql/*/lib/pgxs/*",
    "*/llvmjit*",
    "*/gconv/*",
)
_PROGRAMS = ("postgres", "initdb", "pg_dump", "pg_restore", "psql")
_FORM = 1  # raise it when the steps below change what they make
_NEEDED_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Prefix:
    """A finished private prefix."""

    root: Path

    @property
    def mosquitto(self) -> Path:
        """The MQTT broker."""
        return self.root / "usr/sbin/mosquitto"

    def postgres(self, program: str) -> Path:
        """One of PostgreSQL's programs, e.g. `postgres` or `initdb`."""
        return self.root / f"usr/lib/postgresql/{_POSTGRES}/bin" / program

    @property
    def packages(self) -> list[str]:
        """The file names of the packages inside, versions included."""
        return (self.root / "PACKAGES").read_text().split()


def prefix_folder() -> Path:
    """Where the prefix of the current recipe is, or would be."""
    recipe = repr((_FORM, _SUITE, _ROOTS, _WANTED, _UNUSED, _EXCLUDED, _PROGRAMS))
    return cache_folder() / f"prefix-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure_prefix(progress: Progress = silent) -> Prefix:
    """The prefix, built first if need be; safe to call from many processes at once."""
    final = prefix_folder()
    if (final / "PACKAGES").is_file():
        return Prefix(final)
    try:
        make_cache_folder()
        require_reachable(final, server_account())
        with locked(
            final.parent / "prefix.lock",
            lambda: progress("Waiting for another process that prepares the database"),
        ):
            if not (final / "PACKAGES").is_file():
                _build(final, progress)
    except OSError as error:
        raise PrefixUnavailable(
            f"{final.parent} cannot be filled ({error.strerror})",
            "Make room there, or name another folder in CITYGAUGE_CACHE_DIR",
        ) from error
    return Prefix(final)


def _build(final: Path, progress: Progress) -> None:
    if shutil.disk_usage(final.parent).free < _NEEDED_BYTES:
        raise PrefixUnavailable(
            f"less than {_NEEDED_BYTES // 10**6} MB are free in {final.parent}",
            "Make room there, or name another folder in CITYGAUGE_CACHE_DIR",
            retriable=True,
        )
    with made_whole(final) as root:
        apt = PrivateApt(root.parent / "apt", _SUITE)
        progress("Reading the index of Debian's packages")
        apt.update()
        packages = [each for each in apt.closure(_ROOTS) if _is_needed(each)]
        megabytes = sum(each.size_bytes for each in packages) // 10**6
        progress(f"Downloading TimescaleDB and an MQTT broker ({megabytes} MB, once)")
        files = apt.fetch_and_unpack(packages, root, _EXCLUDED)
        progress("Preparing them for this machine")
        _make_runnable(root, final)
        (root / "PACKAGES").write_text("\n".join(files) + "\n")
        root.chmod(0o755)


def _is_needed(package: Package) -> bool:
    return bool(_WANTED.match(package.name)) and not _UNUSED.match(package.name)


def _make_runnable(root: Path, final: Path) -> None:
    """Let the programs find their own loader and libraries where the folder will be."""
    libraries = next((root / "usr/lib").glob("*-linux-gnu*"))
    loader = next(libraries.glob("ld-linux*.so.*")).relative_to(root)
    library_path = libraries.relative_to(root)
    patch = _patchelf()
    finished = Prefix(root)
    for program in (*map(finished.postgres, _PROGRAMS), finished.mosquitto):
        if patch is not None:
            search = ["--force-rpath", "--set-rpath", str(final / library_path)]
            run([patch, "--set-interpreter", str(final / loader), *search, str(program)])
        else:
            _wrap(program, root, final, loader, library_path)
    missing = [
        line.split()[0]
        for program in (finished.postgres("postgres"), finished.mosquitto)
        for line in _linked(root / loader, libraries, program).splitlines()
        if "not found" in line
    ]
    if missing:
        raise PrefixUnavailable(
            f"the packages lack {', '.join(missing)}", "Report this: the recipe needs a change"
        )


def _linked(loader: Path, libraries: Path, program: Path) -> str:
    binary = program.with_name(f"{program.name}.bin")
    listing: list[str | Path] = [loader, "--inhibit-cache", "--library-path", libraries, "--list"]
    listing.append(binary if binary.exists() else program)
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _wrap(program: Path, root: Path, final: Path, loader: Path, libraries: Path) -> None:
    """Without patchelf: a script in the program's place calls the loader by name."""
    binary = program.rename(program.with_name(f"{program.name}.bin"))
    place = final / program.relative_to(root)
    call = [final / loader, "--inhibit-cache", "--library-path", final / libraries]
    call += ["--argv0", place, final / binary.relative_to(root)]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, call))} "$@"\n')
    program.chmod(0o755)


def _patchelf() -> str | None:
    """The patchelf beside this Python (the `embedded` extra) or the host's."""
    return shutil.which("patchelf", path=sysconfig.get_path("scripts")) or shutil.which("patchelf")

"""Reads packages from the host's Debian archive without installing them.

It uses apt's own machinery with private state: the host's apt and dpkg are neither changed nor
locked, and no root is needed. Signatures are always checked. It names no archive of its own: the
address comes from the host's configuration.
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from services.embedded.commands import run
from services.embedded.errors import CommandFailed, PrefixUnavailable

_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_CODENAMES = ("sid", "forky", "trixie", "bookworm", "bullseye")
_PRIVATE = """\
Dir::State::Lists "{work}/lists";
Dir::Cache "{work}/cache";
Dir::Log "{work}/log";
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
"""
_FOREIGN = """\
Dir::State::status "{work}/status";
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
"""


@dataclass(frozen=True, slots=True)
class Package:
    """One package that apt would fetch."""

    name: str
    size_bytes: int


class PrivateApt:
    """An apt with its own lists and cache in `work`.

    With a suite it sees that suite of Debian and nothing installed, so a closure is complete
    down to the C library. Without one it sees what the host sees, so a closure is what the host
    lacks.
    """

    def __init__(self, work: Path, suite: str | None = None) -> None:
        for program in ("apt-get", "dpkg-deb", "tar"):
            if which(program) is None:
                raise PrefixUnavailable(
                    f"{program} is missing, so Debian's packages cannot be used here",
                    "Give a database and a broker of your own, or run on Debian 12 or later",
                )
        self._work = work
        for folder in ("lists/partial", "cache/archives/partial", "log", "debs"):
            (work / folder).mkdir(parents=True)
        text = _PRIVATE
        if suite is not None:
            (work / "status").touch()
            source = f"deb [signed-by={_keyring()}] {_archive_address()} {suite} main\n"
            (work / "sources.list").write_text(source)
            text += _FOREIGN
        configuration = work / "apt.conf"
        configuration.write_text(text.format(work=work))
        self._environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}

    def update(self) -> None:
        """Fetch the index of packages and check its signature."""
        try:
            self._run("apt-get", "-qq", "update")
        except CommandFailed as failure:
            raise _explained(failure) from failure

    def closure(self, packages: Sequence[str]) -> list[Package]:
        """The packages and everything they depend on that is not there yet."""
        listing = self._run("apt-get", "install", "-qq", "--print-uris", *packages)
        found = []
        for line in listing.splitlines():
            if line.startswith("'"):
                _, file_name, size, *_ = line.split()
                found.append(Package(file_name.partition("_")[0], int(size)))
        return found

    def fetch_and_unpack(
        self, packages: Iterable[Package], root: Path, excluding: Sequence[str] = ()
    ) -> list[str]:
        """Download the packages, unpack them below `root`, and return their file names."""
        debs = self._work / "debs"
        try:
            self._run("apt-get", "download", "-qq", *[each.name for each in packages], folder=debs)
        except CommandFailed as failure:
            raise _explained(failure) from failure
        files = sorted(debs.iterdir())
        for file in files:
            unpack(file, root, excluding)
        return [file.name for file in files]

    def _run(self, *command: str, folder: Path | None = None) -> str:
        return run(command, environment=self._environment, folder=folder)


def unpack(deb: Path, root: Path, excluding: Sequence[str] = ()) -> None:
    """Unpack one package's files below `root`, without its scripts."""
    extract = ["tar", "-x", "-C", str(root), "--no-same-owner"]
    extract += [f"--exclude={pattern}" for pattern in excluding]
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
    ) as reader:
        writer = subprocess.run(
            extract, stdin=reader.stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    if writer.returncode or reader.returncode:
        raise CommandFailed(extract, writer.returncode or reader.returncode, writer.stderr)


def _keyring() -> Path:
    for keyring in _KEYRINGS:
        if keyring.is_file():
            return keyring
    raise PrefixUnavailable(
        "Debian's archive keyring is missing, so packages could not be trusted",
        "Install the package debian-archive-keyring",
    )


def _archive_address() -> str:
    """The first archive of Debian itself that the host's apt is configured for."""
    fields = "$(CREATED_BY)|$(COMPONENT)|$(RELEASE)|$(ORIGIN)|$(REPO_URI)"
    by_name = None
    for line in run(["apt-get", "indextargets", "--format", fields]).splitlines():
        kind, component, release, origin, address = line.split("|")
        if kind != "Packages" or component != "main" or release.endswith("-security"):
            continue
        if origin == "Debian":
            return address
        if release in _CODENAMES and by_name is None:
            by_name = address
    if by_name is None:
        raise PrefixUnavailable(
            "apt is not configured for an archive of Debian",
            "Add Debian's main archive to apt's sources, or give a database and a broker",
        )
    return by_name


def _explained(failure: CommandFailed) -> PrefixUnavailable:
    said = failure.output
    if any(word in said for word in ("NO_PUBKEY", "EXPKEYSIG", "not signed", "BADSIG")):
        return PrefixUnavailable(
            "the archive's signature is not one that this host's keyring knows",
            "Update the package debian-archive-keyring",
        )
    if "No space left" in said:
        return PrefixUnavailable("the disk is full", "Free 500 MB and try again", retriable=True)
    reason = next((line for line in said.splitlines() if line.startswith(("E:", "W:"))), said)
    return PrefixUnavailable(
        f"Debian's archive could not be read ({reason.strip()})",
        "Check the network and apt's configuration, then try again",
        retriable=True,
    )

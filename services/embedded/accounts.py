"""Which account the servers run as, and whether it can reach a folder.

PostgreSQL refuses to run as root, so root hands its servers to an ordinary account. An ordinary
user's servers run as that user: nothing here asks for more rights than the caller has.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from services.embedded.errors import FolderUnreachable


@dataclass(frozen=True, slots=True)
class Account:
    """An ordinary account that root lends to a server."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account for servers started by root; None for everyone else, who stay themselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    return Account("nobody", 65534, 65534)


def require_reachable(folder: Path, account: Account | None) -> None:
    """Refuse a folder that the account could not enter, naming the ancestor that bars the way."""
    if account is None:
        return
    for ancestor in reversed([folder, *folder.parents]):
        if ancestor.exists() and not _may_enter(ancestor.stat(), account):
            raise FolderUnreachable(folder, ancestor, account.name)


def hand_over(path: Path, account: Account | None) -> None:
    """Make the account the owner of one file or folder; a no-op without an account."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)

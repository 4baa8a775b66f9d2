"""Runs a helper program to its end; it does not keep one running."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.embedded.accounts import Account
from services.embedded.errors import CommandFailed


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    account: Account | None = None,
) -> str:
    """A helper program's output; CommandFailed with all that it said when it fails."""
    texts = [str(part) for part in command]
    ended = subprocess.run(
        texts,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if ended.returncode:
        raise CommandFailed(texts, ended.returncode, ended.stdout + ended.stderr)
    return ended.stdout

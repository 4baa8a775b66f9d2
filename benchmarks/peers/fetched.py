"""Fetches what the comparison needs and the project does not, into the cache folder, through each registry's client.

Nothing of it is installed on the host or committed. What cannot be had is `NotInstallable`, with a sentence.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from services.embedded.apt import PrivateApt
from services.embedded.cache import cache_folder, locked, made_whole, make_cache_folder
from services.embedded.errors import CommandFailed, PrefixUnavailable
from services.embedded.prefix import ensure_prefix

_BRIDGE: Final = "mq-bridge==1.2.0"
_STATISTICS: Final = ("numba==0.68.1", "pandas==3.1.1", "polars==2.1.0", "river==0.26.1")
_NODE: Final = ("node-red@4.1", "pg@8")
_SUITE: Final = "trixie"
_LONGEST_S: Final = 300


class NotInstallable(RuntimeError):
    """A peer cannot be had here; the text says why."""


def mosquitto_sub() -> list[str]:
    """The command of Debian's mosquitto_sub, in C on libmosquitto, run with the embedded broker's libraries."""
    folder = _made("mosquitto-clients", _unpack_clients)
    libraries = next((ensure_prefix().root / "usr/lib").glob("*-linux-gnu*"))
    loader = next(libraries.glob("ld-linux*.so.*"))
    program = str(folder / "usr/bin/mosquitto_sub")
    return [str(loader), "--inhibit-cache", "--library-path", str(libraries), program]


def bridge() -> Path:
    """A folder for PYTHONPATH with mq-bridge in it."""
    return _made(_BRIDGE.replace("==", "-"), lambda root: _install_packages(root, _BRIDGE))


def statistics_libraries() -> Path:
    """A folder for PYTHONPATH with river, pandas, polars and numba in it."""
    name = "-".join(each.replace("==", "-") for each in _STATISTICS)
    return _made(name, lambda root: _install_packages(root, *_STATISTICS))


def node_red() -> Path:
    """A folder whose node_modules holds Node-RED and the pg driver."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstallable("node and npm are not installed here")
    return _made("-".join(_NODE), _install_node)


def _made(name: str, make: Callable[[Path], None]) -> Path:
    final = cache_folder() / "peers" / name.replace("@", "-")
    if not final.is_dir():
        make_cache_folder()
        final.parent.mkdir(exist_ok=True)
        with locked(final.parent / "peers.lock", lambda: None):
            if not final.is_dir():
                print(f"Fetching {name} for the comparison, once", flush=True)
                with made_whole(final) as root:
                    make(root)
    return final


def _unpack_clients(root: Path) -> None:
    try:
        apt = PrivateApt(root.parent / "apt", _SUITE)
        apt.update()
        wanted = [
            each for each in apt.closure(["mosquitto-clients"]) if each.name == "mosquitto-clients"
        ]
        apt.fetch_and_unpack(wanted, root, ["./usr/share/*"])
    except (PrefixUnavailable, CommandFailed) as error:
        raise NotInstallable(str(error).splitlines()[0]) from error


def _install_packages(root: Path, *packages: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--only-binary=:all:", "--target", str(root), *packages], root)


def _install_node(root: Path) -> None:
    (root / "package.json").write_text('{"private": true}\n')
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--omit=dev", "--omit=optional"]
    _run(["npm", "install", *quiet, "--omit-lockfile-registry-resolved", *_NODE], root)


def _run(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstallable(f"{command[0]} did not finish in {_LONGEST_S} s") from error
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        reason = next((line for line in said if "ERR" in line.upper()), "no reason given")
        raise NotInstallable(f"{Path(command[0]).name} failed: {reason.strip()}")


def python_environment(packages: Path | None = None) -> Mapping[str, str]:
    """PYTHONPATH of a pipeline's program: the repository, and the packages that were fetched for it."""
    repository = Path(__file__).resolve().parents[2]
    paths = [*([packages] if packages else []), repository]
    return {
        "PYTHONPATH": ":".join(map(str, paths)),
        "PATH": f"{sysconfig.get_path('scripts')}:/usr/local/bin:/usr/bin:/bin",
    }

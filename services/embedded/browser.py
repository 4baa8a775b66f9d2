"""Finds, or prepares, a Chromium for the tests of the console. It does not drive it.

`python -m services.embedded.browser` prepares one: root installs Debian's package, an ordinary
user gets a private copy from the same packages, in the cache folder.
"""

import os
import shlex
import sys
from pathlib import Path
from shutil import which

from services.embedded.apt import PrivateApt
from services.embedded.cache import (
    Progress,
    cache_folder,
    locked,
    made_whole,
    make_cache_folder,
    silent,
)
from services.embedded.commands import run
from services.embedded.errors import EmbeddedError, PrefixUnavailable

_PACKAGES = ("chromium", "fonts-liberation")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_EXCLUDED = (
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/icons/*",
    "./usr/share/lintian/*",
)
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>/usr/share/fonts</dir>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{root}/fontcache</cachedir>
</fontconfig>
"""


def find_chromium() -> Path | None:
    """The Chromium named in CITYGAUGE_CHROMIUM, on the PATH, or prepared before; or None."""
    named = os.environ.get("CITYGAUGE_CHROMIUM")
    if named:
        return Path(named)
    found = next((path for path in map(which, _NAMES) if path), None)
    if found:
        return Path(found)
    private = _private_folder() / "chromium"
    return private if private.is_file() else None


def driver_libraries() -> Path | None:
    """The folder of a private copy that holds libatomic, which a minimal Debian lacks and Playwright's node needs."""
    found = _private_folder().glob("usr/lib/*-linux-gnu*/libatomic.so.1")
    return next((each.parent for each in found), None)


def prepare_chromium(progress: Progress = silent) -> Path:
    """The Chromium of `find_chromium`, installed or unpacked first if there is none."""
    found = find_chromium()
    if found is not None:
        return found
    if os.geteuid() == 0:
        _install(progress)
    else:
        _unpack(_private_folder(), progress)
    found = find_chromium()
    if found is None:
        raise PrefixUnavailable("Debian's chromium holds no program of that name", "Report this")
    return found


def _private_folder() -> Path:
    return cache_folder() / "chromium"


def _install(progress: Progress) -> None:
    if which("apt-get") is None:
        raise PrefixUnavailable("there is no Chromium and no apt-get", "Install a Chromium")
    progress("Installing chromium")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    run(["apt-get", "-qq", "update"], environment=environment)
    install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *_PACKAGES]
    run(install, environment=environment)


def _unpack(final: Path, progress: Progress) -> None:
    """What the host lacks of Chromium's packages, beside what it has."""
    make_cache_folder()
    with locked(final.parent / "chromium.lock", lambda: progress("Waiting for another process")):
        if final.exists():
            return
        with made_whole(final) as root:
            apt = PrivateApt(root.parent / "apt")
            progress("Reading the index of Debian's packages")
            apt.update()
            packages = apt.closure(_PACKAGES)
            megabytes = sum(each.size_bytes for each in packages) // 10**6
            progress(f"Downloading Chromium ({megabytes} MB, once)")
            apt.fetch_and_unpack(packages, root, _EXCLUDED)
            _write_launcher(root, final)


def _write_launcher(root: Path, final: Path) -> None:
    libraries = sorted({each.parent for each in root.glob("**/*-linux-gnu*/**/lib*.so*")})
    places = [str(final / each.relative_to(root)) for each in libraries]
    (root / "fonts.conf").write_text(_FONTS.format(root=final))
    launcher = root / "chromium"
    launcher.write_text(
        "#!/bin/sh\n"
        f"export LD_LIBRARY_PATH={shlex.quote(':'.join(places))}\n"
        f"export FONTCONFIG_FILE={shlex.quote(str(final / 'fonts.conf'))}\n"
        f'exec {shlex.quote(str(final / "usr/lib/chromium/chromium"))} "$@"\n'
    )
    launcher.chmod(0o755)


def main() -> int:
    """Prepare a Chromium; without one the tests that need it are skipped, so this never fails."""
    try:
        path = prepare_chromium(lambda sentence: print(sentence, file=sys.stderr))  # noqa: T201
    except EmbeddedError as error:
        print(f"No Chromium, so its tests will be skipped: {error}", file=sys.stderr)  # noqa: T201
        return 0
    print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

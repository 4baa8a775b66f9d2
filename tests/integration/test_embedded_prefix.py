"""The prefix is built once, whole or not at all, and says what is missing when it cannot be."""

import threading
from pathlib import Path

import pytest

from services.embedded import accounts, apt, prefix
from services.embedded.cache import Progress, made_whole
from services.embedded.errors import CommandFailed, FolderUnreachable, PrefixUnavailable
from tests.waiting import PATIENCE_S


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("CITYGAUGE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(prefix, "server_account", lambda: None)
    return tmp_path


def test_two_builders_at_once_build_one_prefix(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Path] = []
    waiting = threading.Event()

    def build(final: Path, progress: Progress) -> None:
        built.append(final)
        assert waiting.wait(PATIENCE_S)
        with made_whole(final) as root:
            (root / "PACKAGES").write_text("one\n")

    monkeypatch.setattr(prefix, "_build", build)
    found: list[Path] = []
    builders = [
        threading.Thread(
            target=lambda: found.append(prefix.ensure_prefix(lambda sentence: waiting.set()).root)
        )
        for _ in range(2)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert built == [prefix.prefix_folder()]
    assert found == built * 2


def test_a_changed_recipe_has_a_folder_of_its_own(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prefix.prefix_folder()
    monkeypatch.setattr(prefix, "_FORM", 1000)
    assert prefix.prefix_folder() != before
    assert prefix.prefix_folder().parent == before.parent == cache


def test_half_a_prefix_is_never_taken_for_one(tmp_path: Path) -> None:
    def fail() -> None:
        with made_whole(tmp_path / "prefix") as root:
            (root / "PACKAGES").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_host_without_apt_is_told_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(PrefixUnavailable, match="apt-get is missing") as told:
        prefix.ensure_prefix()
    assert not told.value.retriable


def test_a_host_without_the_keyring_is_told_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "_KEYRINGS", (cache / "none.gpg",))
    with pytest.raises(PrefixUnavailable, match="debian-archive-keyring"):
        prefix.ensure_prefix()


def test_a_full_disk_is_told_before_the_download(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix, "_NEEDED_BYTES", 10**18)
    with pytest.raises(PrefixUnavailable, match="are free in"):
        prefix.ensure_prefix()


@pytest.mark.parametrize(
    ("said", "missing", "retriable"),
    [
        ("W: GPG error: NO_PUBKEY 6ED0E7B82643E131", "signature", False),
        ("E: The repository is not signed.", "signature", False),
        ("E: Failed to fetch: Temporary failure resolving 'mirror'", "could not be read", True),
        ("E: Write error - write (28: No space left on device)", "disk is full", True),
    ],
)
def test_what_apt_says_becomes_a_sentence(said: str, missing: str, retriable: bool) -> None:
    error = apt._explained(CommandFailed(["apt-get"], 100, said))
    assert missing in error.missing
    assert error.remedy
    assert error.retriable is retriable


def test_an_archive_that_is_not_debians_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "Packages|main|stable|Somebody|a\nPackages|main|bookworm|Debian|b\n"
    monkeypatch.setattr(apt, "run", lambda command: listed)
    assert apt._archive_address() == "b"
    monkeypatch.setattr(apt, "run", lambda command: listed.splitlines()[0])
    with pytest.raises(PrefixUnavailable, match="not configured"):
        apt._archive_address()


def test_a_folder_behind_a_closed_one_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(FolderUnreachable) as told:
        accounts.require_reachable(closed / "inner", accounts.Account("nobody", 65534, 65534))
    assert told.value.barrier in (closed, *closed.parents)

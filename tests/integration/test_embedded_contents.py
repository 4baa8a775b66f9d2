"""What temporary servers begin with: copies of a cluster in the cache, each with a password of its own."""

import errno
import os
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from services.embedded.contents import Contents, kept_cluster
from services.embedded.database import EmbeddedDatabase
from services.embedded.prefix import Prefix
from tests.embedded_fixtures import memory, rows


def test_temporary_servers_begin_as_copies_with_passwords_of_their_own(
    prefix: Prefix, given_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, made = given_folder.parent / "cache", []
    cache.mkdir(mode=0o755)
    monkeypatch.setenv("CITYGAUGE_CACHE_DIR", str(cache))
    (cache / prefix.root.name).symlink_to(prefix.root)

    def prepare(url: str) -> None:
        made.append(url)
        rows(url, "CREATE TABLE kept AS SELECT 7 AS number")

    contents = Contents("city", "1", prepare)
    begin = partial(EmbeddedDatabase, within=memory(), contents=contents)
    with begin() as first, begin() as second:
        urls = [urlsplit(each) for each in (*made, first.url("city"), second.url("city"))]
        for server in (first, second):
            assert rows(server.url("city"), "SELECT number FROM kept") == [(7,)]
            said = server.log.read_text()
            assert not any(str(url.password) in said for url in urls)
        for url in urls[:2]:
            stranger = f"postgresql://postgres:{url.password}@127.0.0.1:{second.port}/city"
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(stranger)
    assert len(made) == 1
    [secret] = cache.glob("cluster-*/*-password")
    assert secret.stat().st_mode & 0o077 == 0
    with EmbeddedDatabase(given_folder, contents=contents) as lasting:
        assert (
            rows(lasting.url("postgres"), "SELECT datname FROM pg_database WHERE datname = 'city'")
            == []
        )


def test_what_nobody_has_used_for_a_day_leaves_the_cache_when_another_is_made(
    prefix: Prefix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYGAUGE_CACHE_DIR", str(tmp_path))

    def kept(version: str) -> Path:
        contents = Contents("city", version, lambda url: None)
        return kept_cluster(contents, prefix, lambda folder: None, lambda sentence: None)

    old, young, used = kept("1"), kept("2"), kept("3")
    for cluster in (old, used):
        os.utime(cluster, (0, 0))
    assert kept("3") == used
    newest = kept("4")
    assert {path for path in tmp_path.glob("cluster-*") if path.is_dir()} == {young, used, newest}


def test_a_temporary_server_does_without_a_cache_that_it_cannot_write(
    prefix: Prefix, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("services.embedded.database.kept_cluster", full)
    contents = Contents("city", "1", lambda url: None)
    with EmbeddedDatabase(within=memory(), contents=contents) as server:
        assert rows(server.create("city"), "SELECT 1") == [(1,)]

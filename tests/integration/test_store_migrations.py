"""Migrations and connections against the real TimescaleDB."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from services.domain.catalogue import CATALOGUE, Domain
from services.domain.errors import Unavailable
from services.domain.statistic import Part
from services.embedded.database import EmbeddedDatabase
from services.store.connection import (
    DatabaseUnavailable,
    connect,
    listen,
    pool,
    transaction,
    wait,
)
from services.store.edition import Edition, edition
from services.store.migrations import MigrationFailed, migrate, migrations, pending
from services.store.rollups.rollup_level import Level, relation
from tests.edition_fixtures import on_community
from tests.waiting import PATIENCE_S, wait_until

FIXED_COLUMNS = ("time", "sensor", "quality", "received_at", "stored_at")


@pytest.fixture
def bare_database_url(database_server: EmbeddedDatabase) -> Iterator[str]:
    """A database in which nobody has installed TimescaleDB yet."""
    url = database_server.url("bare")
    with psycopg.connect(database_server.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS bare WITH (FORCE)")
        admin.execute("CREATE DATABASE bare TEMPLATE template0")
        yield url
        admin.execute("DROP DATABASE bare WITH (FORCE)")


def test_migrate_applies_each_file_once(empty_database_url: str) -> None:
    names = [migration.name for migration in migrations()]
    assert names[0] == "0001_initial.sql"
    assert pending(empty_database_url) == names
    told: list[str] = []
    assert migrate(empty_database_url, told.append) == names
    assert told == [f"applied {name}" for name in names]
    assert pending(empty_database_url) == []
    assert migrate(empty_database_url, told.append) == []


def test_migrate_installs_the_extension(bare_database_url: str) -> None:
    assert migrate(bare_database_url)
    with connect(bare_database_url, "test") as conn:
        assert edition(conn) is (Edition.COMMUNITY if on_community() else Edition.APACHE)


def test_concurrent_migrations_apply_once(empty_database_url: str) -> None:
    barrier = threading.Barrier(4)
    applied: list[list[str]] = []

    def run() -> None:
        barrier.wait(PATIENCE_S)
        applied.append(migrate(empty_database_url))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(map(len, applied)) == [0, 0, 0, len(migrations())]


def test_changed_file_is_refused(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute(
            "UPDATE schema_migration SET checksum = 'other' WHERE name = '0001_initial.sql'"
        )
    with pytest.raises(MigrationFailed, match=r"0001_initial\.sql has changed"):
        pending(database_url)
    with pytest.raises(MigrationFailed, match=r"0001_initial\.sql has changed"):
        migrate(database_url)


def test_newer_database_is_refused(database_url: str) -> None:
    with connect(database_url, "test", autocommit=True) as conn:
        conn.execute("INSERT INTO schema_migration (name, checksum) VALUES ('9999_later.sql', 'x')")
    with pytest.raises(MigrationFailed, match=r"9999_later\.sql"):
        migrate(database_url)


def test_user_without_rights_is_told_whom_to_ask(
    database_server: EmbeddedDatabase, bare_database_url: str
) -> None:
    with psycopg.connect(database_server.url("postgres"), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS humble")
        admin.execute("CREATE ROLE humble LOGIN PASSWORD 'humble'")
        try:
            url = psycopg.conninfo.make_conninfo(
                bare_database_url, user="humble", password="humble"
            )
            with pytest.raises(MigrationFailed, match="CREATE EXTENSION timescaledb"):
                migrate(url)
        finally:
            admin.execute("DROP ROLE humble")


@pytest.mark.parametrize("domain", Domain)
def test_catalogue_and_database_have_the_same_columns(
    shared_database_url: str, domain: Domain
) -> None:
    table = CATALOGUE[domain]
    with connect(shared_database_url, "test") as conn:
        rows = conn.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_name = %s ORDER BY ordinal_position",
            (table.table,),
        ).fetchall()
        hypertable = conn.execute(
            "SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s",
            (table.table,),
        ).fetchone()
    assert tuple(name for name, _ in rows[:5]) == FIXED_COLUMNS
    assert rows[5:] == [(metric.column, "double precision") for metric in table.metrics]
    assert hypertable is not None


def test_database_has_no_readings_table_that_the_catalogue_lacks(shared_database_url: str) -> None:
    with connect(shared_database_url, "test") as conn:
        rows = conn.execute(
            "SELECT hypertable_name FROM timescaledb_information.hypertables"
        ).fetchall()
    tables = {table.table for table in CATALOGUE.values()}
    rollups = {relation(domain, level) for domain in CATALOGUE for level in Level}
    assert {name for (name,) in rows} == tables | (set() if on_community() else rollups)


@pytest.mark.parametrize("domain", Domain)
@pytest.mark.parametrize("level", Level)
def test_rollups_know_every_metric_of_the_catalogue(
    shared_database_url: str, domain: Domain, level: Level
) -> None:
    with connect(shared_database_url, "test") as conn:
        rows = conn.execute(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_name = %s ORDER BY ordinal_position",
            (relation(domain, level),),
        ).fetchall()
    parts = [f"{metric}_{part}" for metric in CATALOGUE[domain].by_column for part in Part]
    assert [name for (name,) in rows] == ["sensor", "bucket", "readings", "quality", *parts]


def test_connection_is_utc_named_and_limited(shared_database_url: str) -> None:
    with connect(shared_database_url, "citygauge-test", statement_timeout_s=2.5) as conn:
        row = conn.execute(
            "SELECT current_setting('timezone'), current_setting('application_name'), "
            "current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
    assert row == ("UTC", "citygauge-test", "2500ms", "1min")


def test_absent_database_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="database is not available"):
        connect("postgresql://nobody@127.0.0.1:1/nothing", "test")


def test_lost_connection_is_unavailable(shared_database_url: str) -> None:
    with (
        connect(shared_database_url, "victim", autocommit=True) as victim,
        connect(shared_database_url, "killer", autocommit=True) as killer,
    ):
        killer.execute("SELECT pg_terminate_backend(%s, 5000)", (victim.info.backend_pid,))
        for _ in range(2):  # first the server's word, then the closed connection
            with pytest.raises(DatabaseUnavailable):
                victim.execute("SELECT 1")
        with pytest.raises(DatabaseUnavailable), transaction(victim):
            pass


def test_cancelled_and_deadlocked_statements_are_retriable(shared_database_url: str) -> None:
    with connect(shared_database_url, "test", autocommit=True, statement_timeout_s=0.05) as conn:
        with pytest.raises(DatabaseUnavailable) as caught:
            conn.execute("SELECT pg_sleep(30)")
        assert caught.value.retriable
        assert caught.value.sqlstate == "57014"

        def answers() -> bool:  # as soon as the server finds the twentieth of a second for it
            try:
                return conn.execute("SELECT 1").fetchone() == (1,)
            except DatabaseUnavailable:
                return False

        wait_until(answers, what="the connection to go on")


def test_programming_errors_stay_what_they_are(shared_database_url: str) -> None:
    with (
        connect(shared_database_url, "test", autocommit=True) as conn,
        pytest.raises(psycopg.errors.UndefinedTable),
    ):
        conn.execute("SELECT * FROM nowhere")


def test_pool_hands_out_and_reports_exhaustion(shared_database_url: str) -> None:
    with (
        pool(shared_database_url, "test", 1, timeout_s=0.1) as connections,
        connections.connection(timeout=PATIENCE_S) as conn,
    ):
        assert conn.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(DatabaseUnavailable), connections.connection():
            pass


def test_wait_hears_and_times_out_and_stops(shared_database_url: str) -> None:
    stop = threading.Event()
    with (
        connect(shared_database_url, "ear", autocommit=True) as ear,
        connect(shared_database_url, "mouth", autocommit=True) as mouth,
    ):
        listen(ear, "citygauge_test")
        assert wait(ear, "citygauge_test", 0.01, stop) == ()
        mouth.execute("SELECT pg_notify('citygauge_test', '7')")
        assert wait(ear, "citygauge_test", PATIENCE_S, stop) == ["7"]
        mouth.execute("SELECT pg_notify('citygauge_test', '8')")
        ear.execute("SELECT 1")  # a notification that arrives with another answer is kept
        assert wait(ear, "citygauge_test", PATIENCE_S, stop) == ["8"]
        stop.set()
        assert wait(ear, "citygauge_test", 1000, stop) == ()


def test_wait_refuses_a_connection_in_transaction_mode(shared_database_url: str) -> None:
    with (
        connect(shared_database_url, "ear") as ear,
        pytest.raises(ValueError, match="autocommit"),
    ):
        wait(ear, "citygauge_test", 0.01, threading.Event())

"""The query reads whatever can be read, and does nothing else whatever it is given."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.freshness import index_once
from indexer.errors import QueryFailed
from indexer.store.connection import open_reader
from indexer.store.query import Query
from indexer.store.schema.check import create_schema
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"

FORBIDDEN = (
    "ATTACH '{base}/new.sqlite' AS other",
    "ATTACH ':memory:' AS other",
    "ATTACH '' AS other",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '{base}/copy.sqlite'",
    "vacuum main into '{base}/copy.sqlite'",
    "INSERT INTO agent_runs (run_id) VALUES ('x')",
    "INSERT OR REPLACE INTO settings VALUES ('stale_after', 1)",
    "REPLACE INTO settings VALUES ('stale_after', 1)",
    "UPDATE agent_runs SET status = 'success'",
    "DELETE FROM run_events",
    "WITH gone AS (SELECT run_id FROM agent_runs) DELETE FROM agent_runs",
    "DELETE FROM agent_runs RETURNING run_id",
    "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 1, '')",
    "CREATE TABLE mine (x)",
    "CREATE TABLE mine AS SELECT * FROM agent_runs",
    "CREATE TEMP TABLE mine (x)",
    "CREATE TEMP TABLE mine AS SELECT * FROM agent_runs",
    "CREATE TEMP VIEW mine AS SELECT 1",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON agent_runs BEGIN SELECT 1; END",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE INDEX mine ON agent_runs (host)",
    "CREATE TRIGGER mine AFTER INSERT ON agent_runs BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE mine USING fts5(x)",
    "CREATE VIRTUAL TABLE temp.mine USING rtree(a, b, c)",
    "ALTER TABLE agent_runs ADD COLUMN mine",
    "ALTER TABLE agent_runs RENAME TO mine",
    "DROP TABLE agent_runs",
    "DROP VIEW run_tree",
    "DROP INDEX agent_runs_by_start",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "SAVEPOINT mine",
    "EXPLAIN DELETE FROM agent_runs",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA main.journal_mode(DELETE)",
    "PRAGMA user_version = 1",
    "PRAGMA application_id(1)",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "PRAGMA trusted_schema = ON",
    "PRAGMA schema_version = 1",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_checkpoint",
    "PRAGMA incremental_vacuum",
    "PRAGMA optimize",
    "PRAGMA temp_store_directory = '{base}'",
    "PRAGMA data_store_directory = '{base}'",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA mmap_size = 0",
    "PRAGMA encoding = 'UTF-16'",
    "PRAGMA page_size = 512",
    "PRAGMA auto_vacuum = FULL",
    "SELECT * FROM pragma_journal_mode('DELETE')",
    "SELECT * FROM pragma_user_version(3)",
    "SELECT * FROM pragma_wal_checkpoint",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT writefile('{base}/x', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('x', x'00')",
    "SELECT 1; DELETE FROM agent_runs",
    "SELECT 1; SELECT 2",
)


@pytest.fixture
def database(base: Path) -> Path:
    """A view with some rows."""
    config = TelemetryConfig.for_base(base)
    client = TelemetryClient(config)
    for number in range(3):
        with client.track_run("agent", "job") as run:
            run.log_event("step", {"number": number})
    client.close()
    index_once(Base(config))
    return config.database_path


@pytest.fixture
def ask(database: Path) -> Iterator[object]:
    """Ask a query of the view; return columns and rows."""

    def query(sql: str, timeout: float = 30.0) -> tuple[list[str], list[tuple]]:
        with closing(open_reader(database)) as connection:
            asked = Query(connection, sql, timeout)
            return asked.columns, list(asked.rows())

    return query


def contents(base: Path) -> dict[str, bytes]:
    """All files under `base`; SQLite's shared memory is no data, and each reader moves in it."""
    return {
        str(path): path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_what_does_not_read_is_refused(statement, ask, base):
    """Each statement fails, and the base is byte for byte what it was."""
    # The first reader of a database in WAL mode makes the empty files that readers share.
    ask("SELECT count(*) FROM agent_runs")
    before = contents(base)
    with pytest.raises(QueryFailed):
        ask(statement.format(base=base))
    assert contents(base) == before


def test_forbidden_statements_are_refused_where_nothing_else_stops_them():
    """The authorizer alone stops them, on a connection that could write."""
    import sqlite3

    for statement in FORBIDDEN:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            create_schema(connection)
            with pytest.raises(QueryFailed):
                Query(connection, statement.format(base="/nowhere"))
            assert connection.total_changes == 0


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ATTACH 'x' AS y", "ATTACH is not allowed"),
        ("DELETE FROM agent_runs", "DELETE is not allowed"),
        ("DROP TABLE agent_runs", "changing the schema is not allowed"),
        ("DROP VIEW runs_by_day", "changing the schema is not allowed"),
        ("CREATE TEMP TABLE x (y)", "changing the schema is not allowed"),
        ("ALTER TABLE agent_runs RENAME TO x", "ALTER TABLE is not allowed"),
        ("PRAGMA user_version = 3", "PRAGMA user_version is not allowed"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT nonsense FROM agent_runs", "no such column: nonsense"),
        ("SELECT ?", "bind"),
        ("", "no query"),
        ("-- a comment", "no query"),
        ("SELEC 1", "syntax error"),
        ("SELECT '\0'", ""),
    ],
)
def test_a_refusal_says_why(statement, words, ask):
    """The message names what was wrong, in one line."""
    with pytest.raises(QueryFailed) as caught:
        ask(statement)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM agent_runs",
        "SELECT * FROM run_events ORDER BY timestamp",
        "SELECT * FROM runs_by_agent",
        "SELECT * FROM runs_by_day",
        "SELECT * FROM failed_runs",
        "SELECT * FROM stale_runs",
        "SELECT * FROM run_tree",
        "SELECT sql FROM sqlite_master",
        "SELECT * FROM pragma_table_info('agent_runs')",
        "SELECT count(*) FROM pragma_database_list",
        "PRAGMA table_info(agent_runs)",
        "PRAGMA index_list(agent_runs)",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA database_list",
        "PRAGMA compile_options",
        "PRAGMA integrity_check",
        "EXPLAIN QUERY PLAN SELECT * FROM agent_runs",
        "EXPLAIN SELECT * FROM agent_runs",
        "VALUES (1), (2)",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT row_number() OVER (ORDER BY run_id) FROM agent_runs",
        "SELECT agent_name, job_type, status FROM agent_runs ORDER BY start_time DESC LIMIT 10",
        "SELECT status, COUNT(*) FROM agent_runs GROUP BY status",
        f"{ENDLESS} SELECT x FROM n LIMIT 10;",
        "SELECT 1 -- a comment",
        "SELECT 1; -- a comment",
    ],
)
def test_what_reads_is_allowed(statement, ask):
    """Tables, views, the schema, harmless pragmas and every kind of SELECT work."""
    columns, _ = ask(statement)
    assert columns


@pytest.mark.parametrize("select", ["SELECT count(*) FROM n", "SELECT x FROM n WHERE x < 0"])
def test_an_endless_query_is_stopped(select, ask):
    """A query without end is over at its time limit."""
    began = time.monotonic()
    with pytest.raises(QueryFailed, match=r"longer than 0\.3 seconds"):
        ask(f"{ENDLESS} {select}", timeout=0.3)
    assert time.monotonic() - began < 60, "nothing stopped it"


def test_an_endless_result_is_stopped_too(database):
    """The limit holds for a query that goes on giving rows."""
    with closing(open_reader(database)) as connection:
        query = Query(connection, f"{ENDLESS} SELECT x FROM n", timeout=0.3)
        with pytest.raises(QueryFailed, match="longer than"):
            for _ in query.rows():
                pass


def test_the_readers_own_time_does_not_count(database):
    """A slow reader, such as a pager, still gets all rows."""
    with closing(open_reader(database)) as connection:
        query = Query(connection, f"{ENDLESS} SELECT x FROM n LIMIT 1000", timeout=0.3)
        rows = query.rows()
        next(rows)
        time.sleep(0.5)
        assert len(list(rows)) == 999


def test_rows_come_as_they_are_asked_for(database):
    """The first rows of an endless result are there at once."""
    with closing(open_reader(database)) as connection:
        rows = Query(connection, f"{ENDLESS} SELECT x FROM n").rows()
        assert [next(rows) for _ in range(500)][-1] == (500,)


def test_columns_of_one_name_are_told_apart(ask):
    """No column is lost where names are the keys."""
    columns, rows = ask("SELECT 1 AS a, 2 AS a, 3 AS a_2")
    assert columns == ["a", "a_2", "a_2_2"]
    assert rows == [(1, 2, 3)]


def test_text_that_is_no_utf8_does_not_stop_the_others(ask):
    """A value that is no text comes as well as it can."""
    _, rows = ask("SELECT CAST(x'61FF62' AS TEXT)")
    assert rows == [("a\ufffdb",)]


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        ("SELECT nonsense FROM agent_runs", "telemetry sql --help"),
        ("", "SELECT * FROM"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("DELETE FROM agent_runs", "derived from the log"),
        (f"{ENDLESS} SELECT count(*) FROM n", "--timeout"),
    ],
)
def test_every_failure_says_what_to_do(statement, step, ask):
    """The hint fits what went wrong, and names nothing that an installation has not got."""
    with pytest.raises(QueryFailed) as caught:
        ask(statement, timeout=0.2)
    assert step in caught.value.hint
    assert "docs/" not in str(caught.value)


def test_ctrl_c_ends_a_query_that_gives_no_row(ask):
    """It is heard at once inside SQLite too, and is not taken for the time limit."""
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        # More time than a machine that stands still for a while takes from it.
        ask(f"{ENDLESS} SELECT count(*) FROM n", 600.0)
    timer.join()
    assert time.monotonic() - began < 600, "nothing stopped it"


@pytest.mark.parametrize(
    "value",
    [
        "zeroblob(2000000000)",
        "hex(zeroblob(900000000))",
        "randomblob(800000000)",
        pytest.param(
            "(SELECT group_concat(hex(zeroblob(20000000))) FROM (VALUES (1), (2), (3)))",
            marks=pytest.mark.skipif(
                not hasattr(sqlite3.Connection, "setlimit"),
                reason="limits of single values need Python 3.11; SQLite's memory is limited",
            ),
        ),
    ],
)
def test_a_function_can_not_ask_for_gigabytes(value):
    """Values and SQLite's memory are limited, and the error says what to do."""
    with pytest.raises(QueryFailed, match="too much memory"):
        _all(f"SELECT {value}")


def test_large_rows_are_not_gathered():
    """Of rows of megabytes few are fetched at once, whatever came before them."""
    sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20)"
    connection = sqlite3.connect(":memory:", isolation_level=None)
    query = Query(connection, f"{sql} SELECT zeroblob(4000000) FROM n")
    sizes = []
    original = query._fetch
    query._fetch = lambda: sizes.append(rows := original()) or rows
    assert sum(1 for _ in query.rows()) == 20
    assert max(map(len, sizes)) == 2
    connection.close()


def _all(sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        return list(Query(connection, sql).rows())

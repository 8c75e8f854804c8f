"""Databases in memory have our tables, and nothing of each other."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from indexer.store.schema import memory
from indexer.store.schema.check import create_schema
from indexer.store.schema.memory import database_in_memory


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    sql = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    return connection.execute(sql).fetchall()


def test_each_has_all_tables_and_begins_empty() -> None:
    """Whatever was written to another one, which is there still or gone."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        create_schema(made)
        wanted = _schema(made)
    with closing(database_in_memory()) as first, closing(database_in_memory()) as second:
        first.execute("INSERT INTO agent_runs (run_id) VALUES ('r')")
        assert _schema(first) == _schema(second) == wanted
        assert second.execute("SELECT count(*) FROM agent_runs").fetchone() == (0,)


def test_any_thread_may_have_some() -> None:
    """What they are copied from belongs to the thread that made it."""
    found: list[int] = []

    def make() -> None:
        with closing(database_in_memory()) as one:
            found.extend(one.execute("SELECT count(*) FROM agent_runs").fetchone())

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0, 0]


def test_what_a_thread_kept_is_closed_with_it() -> None:
    """A database that is left open is a warning at any later time, and an error in tests."""
    kept: list[sqlite3.Connection] = []

    def make() -> None:
        database_in_memory().close()
        kept.append(memory._of_thread.template.connection)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept[0].execute("SELECT 1")

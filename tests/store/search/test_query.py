"""A search by the index finds what a look at every event finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.store.events.codec import row_of_event
from indexer.store.events.table import insert_events
from indexer.store.search.index import MOST_CHARACTERS, add_events, add_runs_again
from indexer.store.search.query import events_with, is_indexed, missing_events, runs_with
from indexer.store.search.tables import create_tables, is_supported
from tests.support.database import empty_database, event

pytestmark = pytest.mark.skipif(not is_supported(), reason="this SQLite has no trigrams")

_LETTERS = "abcABCäÄßß%_\\\"'é1. 日本"
_TEXTS = st.text(_LETTERS, max_size=12)


@contextmanager
def _stored(payloads: list[Any], *, indexed: bool) -> Iterator[sqlite3.Connection]:
    """A database with events of these payloads, of three runs."""
    rows = [
        row_of_event(event(n, "run.event", f"run-{n % 3}", payload=one), 1, n * 100, 100)
        for n, one in enumerate(payloads)
    ]
    with closing(empty_database()) as connection:
        insert_events(connection, rows)
        if indexed:
            create_tables(connection)
            connection.execute("UPDATE search_state SET is_complete = 1")
            add_events(connection, rows)
        yield connection


@given(payloads=st.lists(_TEXTS, max_size=12), text=_TEXTS.filter(bool))
@settings(max_examples=150)
def test_it_finds_what_a_scan_finds(payloads: list[str], text: str) -> None:
    """Inside words, in any case, with quotes and wildcards, shorter than three characters."""
    with _stored(payloads, indexed=False) as scanned, _stored(payloads, indexed=True) as indexed:
        expected = events_with(scanned, text, "", None, 50)
        assert events_with(indexed, text, "", None, 50) == expected
        if len(text) >= 3:
            assert set(runs_with(indexed, text, 50)) == {row["run_id"] for row in expected}
        assert missing_events(indexed) == 0


def test_the_index_is_what_is_asked() -> None:
    """An event that the index does not have is not found, so the answer is the index's own."""
    with _stored(["a needle"], indexed=True) as connection:
        connection.execute("DELETE FROM search_events")
        assert events_with(connection, "needle", "", None, 9) == []
        assert missing_events(connection) == 1
        connection.execute("UPDATE search_state SET is_complete = 0")
        assert not is_indexed(connection)
        assert len(events_with(connection, "needle", "", None, 9)) == 1


def test_one_run_and_a_time_narrow_it() -> None:
    """As they do without an index."""
    with _stored(["needle"] * 9, indexed=True) as connection:
        assert len(events_with(connection, "needle", "", "run-1", 50)) == 3
        everything = events_with(connection, "needle", "", None, 50)
        later = events_with(connection, "needle", everything[2]["timestamp"], None, 50)
        assert later == everything[:3]


def test_an_event_that_became_another_is_found_by_its_new_text() -> None:
    """And no longer by the old one."""
    with _stored(["before"], indexed=True) as connection:
        connection.execute("UPDATE run_events SET payload_json = '\"afterwards\"'")
        add_runs_again(connection, {"run-0"})
        assert events_with(connection, "before", "", None, 9) == []
        assert len(events_with(connection, "afterwards", "", None, 9)) == 1
        assert missing_events(connection) == 0


def test_of_a_huge_event_the_beginning_is_found() -> None:
    """Its end is not: to index megabytes of one event would take seconds."""
    with _stored(["first " + "x " * MOST_CHARACTERS + "last"], indexed=True) as connection:
        assert len(events_with(connection, "first", "", None, 9)) == 1
        assert events_with(connection, "last", "", None, 9) == []

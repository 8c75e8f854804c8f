"""All runs that match, each once, in order, however many pieces it takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.ui.queries.filters import Condition, Place
from indexer.ui.queries.scan import Scan, run_scan
from tests.support.database import empty_database

_RUNS = 3_000


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """Runs of which many began at the same moment."""
    rows = [
        (f"run-{number:05d}", f"2026-01-01T00:{number // 40 % 60:02d}:00.000000Z", number % 7)
        for number in range(_RUNS)
    ]
    with closing(empty_database()) as database:
        database.executemany(
            "INSERT INTO agent_runs (run_id, start_time, items_failed) VALUES (?, ?, ?)", rows
        )
        yield database


def _ids(connection: sqlite3.Connection, scan: Scan, limit: int = 10_000) -> list[str]:
    return [row[0] for row in run_scan(connection, scan, "runs.run_id", limit, 60).rows]


@pytest.mark.parametrize("since", [None, "2026-01-01T00:10:00.000000Z"])
@pytest.mark.parametrize("parts", [(), ("runs.items_failed = 3",)])
def test_pieces_join_without_gap_or_repetition(
    connection: sqlite3.Connection, since: str, parts: tuple[str, ...]
) -> None:
    """Newest first, and the other way round from the oldest."""
    where = " AND ".join(["start_time >= ?", *(part.replace("runs.", "") for part in parts)])
    sql = f"SELECT run_id FROM agent_runs WHERE {where} ORDER BY start_time DESC, run_id DESC"
    wanted = [row[0] for row in connection.execute(sql, (since or "",))]
    condition = Condition(since=since, parts=parts)
    assert _ids(connection, Scan(condition)) == wanted
    start = Place(since or "", "")
    assert _ids(connection, Scan(condition, start, backwards=True)) == wanted[::-1]


def test_it_goes_on_from_where_it_stopped(connection: sqlite3.Connection) -> None:
    """Out of time after the first piece, it says where it was; from there on comes the rest."""
    scan = Scan(Condition())
    found = run_scan(connection, scan, "runs.run_id", 10_000, 0.0)
    assert found.searched_to is not None
    first = [row[0] for row in found.rows]
    assert 0 < len(first) < _RUNS
    rest = _ids(connection, Scan(Condition(), found.searched_to))
    assert first + rest == _ids(connection, scan)


def test_enough_is_enough(connection: sqlite3.Connection) -> None:
    """With as many as were asked for it does not say that it searched only so far."""
    found = run_scan(connection, Scan(Condition()), "runs.run_id", 50, 60)
    assert (len(found.rows), found.searched_to) == (50, None)

"""Find what a commit changed, by comparing the cursors before and after it.

Called by the watch of the database. The log is the source of truth: the lines between an old
cursor and a new one name the runs that changed, which costs no scan of any table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

import orjson

from indexer.store.connection import open_reader
from indexer.store.cursors import all_cursors
from indexer.system.filesystem import identity

MOST_RUNS = 100
_MOST_BYTES = 1_000_000
_MOST_ANCESTORS = 20


class Change(NamedTuple):
    """What is different from the look before."""

    runs: Optional[tuple[tuple[str, int], ...]]
    """Which runs, each with its revision, ancestors included; None for too many to say."""


NOTHING = Change(())


class ChangeFinder:
    """Reads one database again and again, and says what changed between two looks.

    Not for several threads. Errors of SQLite come out as DatabaseUnusable or sqlite3.Error;
    after one, `close` and look again.
    """

    def __init__(self, database: Path, log_directory: Path) -> None:
        self._database = database
        self._log = log_directory
        self._connection: Optional[sqlite3.Connection] = None
        self._identity = (0, 0)
        self._version = -1
        self._offsets: dict[str, int] = {}
        self._gone: set[tuple[str, str]] = set()

    def look(self) -> Optional[Change]:
        """Return what changed since the last look, or None if nothing was committed."""
        if self._connection is None or identity(self._database) != self._identity:
            return self._open()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return None
        self._version = version
        before, self._offsets = self._offsets, _offsets(self._connection)
        gone, self._gone = self._gone, _gone_processes(self._connection)
        if gone != self._gone:
            # Which runs look dead now is known by no line of the log.
            return Change(None)
        runs = self._changed_runs(before)
        return Change(None if runs is None else self._with_ancestors(runs))

    def close(self) -> None:
        """Close the database; the next look opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Optional[Change]:
        """Open the database, or say that there is none; all of it may have changed."""
        had_one = self._identity != (0, 0)
        self.close()
        self._identity = identity(self._database)
        if self._identity == (0, 0):
            return Change(None) if had_one else None
        self._connection = open_reader(self._database, any_thread=True)
        (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        self._offsets = _offsets(self._connection)
        self._gone = _gone_processes(self._connection)
        return Change(None)

    def _changed_runs(self, before: Mapping[str, int]) -> Optional[set[str]]:
        """Return the ids in the lines that were indexed meanwhile, or None if they are many."""
        grown = {
            name: (before.get(name, 0), offset)
            for name, offset in self._offsets.items()
            if offset > before.get(name, 0)
        }
        if any(name not in self._offsets for name in before):
            # Rebuilt, or its oldest days were deleted.
            return None
        if sum(end - begin for begin, end in grown.values()) > _MOST_BYTES:
            return None
        runs: set[str] = set()
        for name, (begin, end) in grown.items():
            try:
                runs.update(_subjects(self._log / name, begin, end))
            except (OSError, ValueError):
                # Compressed, moved away, or an old line of another shape.
                return None
        return runs if len(runs) <= MOST_RUNS else None

    def _with_ancestors(self, runs: Iterable[str]) -> tuple[tuple[str, int], ...]:
        """Return runs and what they ran inside of, for a parent's row counts its children."""
        found: dict[str, int] = {}
        waiting = [(run, 0) for run in runs]
        while waiting:
            run_id, height = waiting.pop()
            if run_id in found or height > _MOST_ANCESTORS:
                continue
            row = self._row(run_id)
            if row is not None:
                found[run_id] = row[0]
                waiting += [(row[1], height + 1)] if row[1] else []
        return tuple(found.items())

    def _row(self, run_id: str) -> Optional[tuple[int, Optional[str]]]:
        assert self._connection is not None
        row: Optional[tuple[int, Optional[str]]] = self._connection.execute(
            "SELECT revision, parent_run_id FROM agent_runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        return row


def _offsets(connection: sqlite3.Connection) -> dict[str, int]:
    return {name: cursor.offset for name, cursor in all_cursors(connection).items()}


def _gone_processes(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT source, process_start FROM gone_processes"))


def _subjects(path: Path, begin: int, end: int) -> set[str]:
    """Return which runs the lines of a part of a segment are about."""
    with open(path, "rb") as file:
        file.seek(begin)
        data = file.read(end - begin)
    lines = (orjson.loads(line) for line in data.splitlines() if line.strip())
    return {str(line.get("subject") or line["run_id"]) for line in lines}

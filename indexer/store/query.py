"""Run a user's SQL so that it can read and do nothing else.

Used by `telemetry sql` and the live page. The connection is read-only, and an authorizer refuses
whatever is not reading before SQLite runs it: `mode=ro` alone would let ATTACH and VACUUM INTO
write files.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from indexer.errors import QueryFailed

DEFAULT_TIMEOUT = 30.0
MAX_VALUE_BYTES = 100_000_000
"""Of one value; no line of the log has more."""
MAX_HEAP_BYTES = 500_000_000
"""Of all that SQLite allocates in this process. SQLite can lower its limit, and never raise it."""

_ROWS_AT_ONCE = 200
_BYTES_AT_ONCE = 8_000_000
_STEPS_BETWEEN_LOOKS = 10_000

_NO_QUERY = "there is no query in it"
_ONE_STATEMENT = 'Give one statement, as in "SELECT * FROM agent_runs LIMIT 5"'
_READ_ONLY = "It is derived from the log and cannot be changed by hand"
_TOO_LARGE = ("out of memory", "string or blob too big")
_LESS_MEMORY = "Select fewer or smaller values: LIMIT, substr()"
_MORE_TIME = "`--timeout` allows more"
_NAMES = (
    "`telemetry sql --help` lists tables and views,"
    ' `telemetry sql "PRAGMA table_info(NAME)"` the columns of one'
)

_ALLOWED_ACTIONS = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE))
# None of them is there in SQLite as Python brings it, but a build may differ.
_FORBIDDEN_FUNCTIONS = frozenset(
    (
        "load_extension",
        "readfile",
        "writefile",
        "edit",
        "fts3_tokenizer",
        "sqlar_uncompress",
        "fsdir",
        "lsdir",
        "eval",
    )
)
_PRAGMAS_WITH_ARGUMENT = frozenset(
    (
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
    )
)
# With an argument, most of these would set what they otherwise tell.
_PRAGMAS_WITHOUT = _PRAGMAS_WITH_ARGUMENT | frozenset(
    (
        "application_id",
        "auto_vacuum",
        "collation_list",
        "compile_options",
        "data_version",
        "database_list",
        "encoding",
        "freelist_count",
        "function_list",
        "journal_mode",
        "module_list",
        "page_count",
        "page_size",
        "pragma_list",
        "query_only",
        "schema_version",
        "user_version",
    )
)
# SQLite first asks for these when something is created or dropped, as if rows were.
_SCHEMA_TABLES = ("sqlite_master", "sqlite_temp_master")
_ACTION_NAMES = {
    number: name[len("SQLITE_") :].replace("_", " ")
    for name, number in (
        (name, getattr(sqlite3, name))
        for name in (
            "SQLITE_ATTACH",
            "SQLITE_DETACH",
            "SQLITE_INSERT",
            "SQLITE_UPDATE",
            "SQLITE_DELETE",
            "SQLITE_TRANSACTION",
            "SQLITE_ALTER_TABLE",
            "SQLITE_REINDEX",
            "SQLITE_ANALYZE",
            "SQLITE_CREATE_TRIGGER",
        )
    )
}


class Query:
    """One statement, running. Its rows come as they are asked for, and only once."""

    def __init__(
        self, connection: sqlite3.Connection, sql: str, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """Start `sql` on `connection`, which is good for nothing else afterwards.

        `timeout` seconds may be spent in SQLite; the reader's own time does not count. Raises
        QueryFailed.
        """
        _limit_memory(connection)
        self._timeout = timeout
        self._spent = 0.0
        self._entered = 0.0
        self._refused = ""
        connection.text_factory = _text
        connection.row_factory = None
        _make_table_functions(connection)
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._is_over_time, _STEPS_BETWEEN_LOOKS)
        self._cursor = connection.cursor()
        self._in_sqlite(lambda: self._cursor.execute(sql))
        if self._cursor.description is None:
            raise self._failure(sqlite3.Error(_NO_QUERY))
        self.columns = distinct([column[0] for column in self._cursor.description])
        """The names of the columns, each once."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows. Raises QueryFailed."""
        while True:
            rows = self._in_sqlite(self._fetch)
            if not rows:
                return
            yield from rows

    def _fetch(self) -> list[tuple[Any, ...]]:
        """Return some rows: as many as are quick to fetch, and few of large ones."""
        rows, held = [], 0
        for row in self._cursor:
            rows.append(row)
            held += sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if len(rows) >= _ROWS_AT_ONCE or held >= _BYTES_AT_ONCE:
                break
        return rows

    def _in_sqlite(self, work: Any) -> Any:
        self._entered = time.monotonic()
        try:
            return work()
        # Warning is what several statements in one come as, before Python 3.12.
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
            raise self._failure(error) from error
        finally:
            self._spent += time.monotonic() - self._entered

    def _failure(self, error: Exception) -> BaseException:
        """Return what SQLite's error came from, with what to do about it."""
        if self._refused:
            return _failed(self._refused, _READ_ONLY)
        if str(error) == "interrupted":
            if not self._is_over_time():
                # Ctrl-C, raised in the handler that SQLite calls, which can't pass it on.
                return KeyboardInterrupt()
            return _failed(f"the query took longer than {self._timeout:g} seconds", _MORE_TIME)
        if isinstance(error, (MemoryError, sqlite3.DataError)) or str(error) in _TOO_LARGE:
            return _failed("the query needs too much memory", _LESS_MEMORY)
        text = str(error).rstrip(".")
        is_one = text != _NO_QUERY and "one statement" not in text
        return _failed(text, _NAMES if is_one else _ONE_STATEMENT)

    def _is_over_time(self) -> int:
        return int(self._spent + time.monotonic() - self._entered > self._timeout)

    def _authorize(
        self,
        action: int,
        first: Optional[str],
        second: Optional[str],
        _database: Optional[str],
        _inner: Optional[str],
    ) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            return self._judge(_is_harmless(first, second), f"PRAGMA {first}")
        if action == sqlite3.SQLITE_FUNCTION:
            return self._judge((second or "").lower() not in _FORBIDDEN_FUNCTIONS, f"{second}()")
        what = _ACTION_NAMES.get(action, "this statement")
        if first in _SCHEMA_TABLES and action not in _ALLOWED_ACTIONS:
            what = "changing the schema"
        return self._judge(action in _ALLOWED_ACTIONS, what)

    def _judge(self, allowed: bool, what: str) -> int:
        if allowed:
            return sqlite3.SQLITE_OK
        self._refused = self._refused or f"the database is read-only here: {what} is not allowed"
        return sqlite3.SQLITE_DENY


def _limit_memory(connection: sqlite3.Connection) -> None:
    """Limit what a function may return and what SQLite may allocate: `zeroblob` takes a number."""
    # The first is there from Python 3.11 on, the second from SQLite 3.31; each has its gaps.
    if hasattr(connection, "setlimit"):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.execute(f"PRAGMA hard_heap_limit = {MAX_HEAP_BYTES}").close()


def _failed(text: str, hint: str) -> QueryFailed:
    failed = QueryFailed(text)
    failed.hint = hint
    return failed


def _make_table_functions(connection: sqlite3.Connection) -> None:
    """Have SQLite make its table-valued functions: on first use it asks to write its schema."""
    for name in ("json_each", "json_tree", *(f"pragma_{name}" for name in _PRAGMAS_WITHOUT)):
        # Not every build has all, and a database that can't be read says so in the query.
        with contextlib.suppress(sqlite3.Error):
            connection.execute(f"SELECT 1 FROM {name} LIMIT 0").close()


def _is_harmless(pragma: Optional[str], argument: Optional[str]) -> bool:
    known = _PRAGMAS_WITHOUT if argument is None else _PRAGMAS_WITH_ARGUMENT
    return (pragma or "").lower() in known


def _text(data: bytes) -> str:
    # SQLite does not promise that text is UTF-8, and one bad value must not cost the others.
    return data.decode("utf-8", "replace")


def distinct(names: Sequence[str]) -> list[str]:
    """Return names with a number where one comes again, or a JSON object would lose all but one."""
    taken: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken

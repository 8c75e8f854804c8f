"""Run somebody's own SQL in the centre: one statement that reads, within limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple, Optional

from indexer.fleet.errors import FleetQueryFailed
from indexer.fleet.reading.choice import chosen_centre, explaining, in_words
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.fleet.wire.query_error import READ_ONLY
from indexer.store.query import distinct
from indexer.system.base import Base

MOST_BYTES = 200_000_000
"""Of a result, and of its text."""
MOST_ROWS = 1_000_000
"""Of a result."""
_GRACE_SECONDS = 5.0

TABLES = """SELECT if(engine = 'View', 'view', 'table') AS type, name FROM system.tables
WHERE database = currentDatabase() ORDER BY type, name"""
SCHEMA = """SELECT table, name AS "column", type FROM system.columns
WHERE database = currentDatabase() ORDER BY table, position"""


class Result(NamedTuple):
    """What a query gave."""

    columns: list[str]
    """Each name once."""
    rows: list[list[Any]]


class FleetSql:
    """A centre that is asked in its own SQL."""

    def __init__(self, client: FleetClient, name: str, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self.name = name
        """`fleet NAME at HOST`."""

    def run(self, sql: str) -> Result:
        """Return the result of one statement. Raises FleetQueryFailed or FleetError."""
        statement = sql.strip().rstrip(";")
        if not statement.strip():
            raise FleetQueryFailed("there is no query in it")
        try:
            return self._run(statement, "1")
        except FleetQueryFailed as error:
            # An account that is read-only by its profile may not become so by a request.
            if error.code != READ_ONLY or "'readonly'" not in str(error):
                raise
        return self._run(statement, "2")

    def _run(self, sql: str, readonly: str) -> Result:
        limits = {
            "readonly": readonly,
            "max_execution_time": str(max(1, ceil(self._timeout))),
            "max_result_bytes": str(MOST_BYTES),
            "max_result_rows": str(MOST_ROWS),
        }
        names, rows = self._client.query(sql, limits, MOST_BYTES)
        return Result(distinct(names), rows)


@contextmanager
def fleet_sql(base: Base, name: Optional[str], timeout: float) -> Iterator[FleetSql]:
    """Give a centre that is configured here, to be asked in SQL. Raises FleetError."""
    target = chosen_centre(base, name)
    address = replace(address_of(target), timeout=timeout + _GRACE_SECONDS)
    with explaining(target), FleetClient(address) as client:
        yield FleetSql(client, in_words(target), timeout)

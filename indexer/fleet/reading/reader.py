"""Read a fleet: what each question needs, from the centre into a database in memory.

Called by the commands and pages that read, in place of opening this host's database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Optional

from indexer.fleet.reading.choice import chosen_centre, explaining, in_words
from indexer.fleet.reading.copy import MOST_ROWS, Copy
from indexer.fleet.reading.family import add_found, add_run, add_tree
from indexer.fleet.reading.sums import add_chosen, add_period, add_usage
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.store.run_queries import RunFilter
from indexer.store.schema.check import create_schema
from indexer.store.status import set_stale_after
from indexer.system.base import Base
from telemetry_core.timestamp import format_time


class FleetReader:
    """One question's database. Each method copies what its question needs, and raises FleetError.

    What names a run or a parent that is not there raises NoSuchRun, as on a host.
    """

    def __init__(self, copy: Copy, name: str, stale_after: float) -> None:
        self._copy = copy
        self.name = name
        """`fleet NAME at HOST`."""
        silent_since = datetime.now(timezone.utc) - timedelta(seconds=stale_after)
        self._silent_since = format_time(silent_since)

    @property
    def connection(self) -> sqlite3.Connection:
        """The database in memory, with what was copied."""
        return self._copy.connection

    @property
    def notes(self) -> list[str]:
        """What was left out, in words."""
        return self._copy.notes

    def runs(self, chosen: RunFilter) -> None:
        """The runs of a filter."""
        add_chosen(self._copy, chosen, self._silent_since)

    def run(self, wanted: str, events: int = 0) -> None:
        """One run with what it did and its last events; 0 for all."""
        add_run(self._copy, add_found(self._copy, wanted), events)

    def tree(self, wanted: str) -> None:
        """One run, the runs inside it, and all their spans."""
        add_tree(self._copy, add_found(self._copy, wanted))

    def usage(self, since: Optional[str], *, needs_runs: bool = True) -> None:
        """Calls of models since a time."""
        add_usage(self._copy, since, needs_runs=needs_runs)

    def period(self, chosen: RunFilter, before: str) -> None:
        """What a report on the filter's period says, compared with the one from `before` to it."""
        add_period(self._copy, chosen, before, self._silent_since)


@contextmanager
def reading_fleet(base: Base, name: Optional[str] = None) -> Iterator[FleetReader]:
    """Give the reader of a centre that is configured here. Raises FleetError."""
    target = chosen_centre(base, name)
    stale_after = base.config.stale_after
    with (
        explaining(target),
        FleetClient(address_of(target)) as client,
        closing(memory_database(stale_after)) as connection,
    ):
        copy = Copy(client, connection, MOST_ROWS)
        yield FleetReader(copy, in_words(target), stale_after)


def memory_database(stale_after: float) -> sqlite3.Connection:
    """Return an empty database in memory that takes silent runs for stale as this host does."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        create_schema(connection)
        set_stale_after(connection, stale_after)
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection

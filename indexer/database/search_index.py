"""Keep the search index in step with the events, where the settings ask for one.

`[search]` with `index = true` in config/telemetry.toml. It is fed in the transactions that store
the events; those from before it are added by the passes, a part at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from indexer.store.connection import transaction
from indexer.store.events.codec import EVENT_ID, RUN_ID
from indexer.store.search.index import add_events, add_runs_again, fill_further
from indexer.store.search.tables import (
    Filled,
    create_tables,
    drop_tables,
    filled,
    has_tables,
    is_supported,
    set_filled,
)
from indexer.system.callbacks import ShouldStop

if TYPE_CHECKING:
    from indexer.store.events.deduplication import StoreResult
    from indexer.system.base import Base

_EVENTS_AT_ONCE = 2_000
_COMPLETE = Filled(is_complete=True, run_id="", event_id="")
_LAST = chr(0x10FFFF)
"""After every id of an event."""


class SearchIndex:
    """The index of one database, if it has one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_complete: Optional[bool] = None
        """Read when it is first asked for: by then the schema is there."""

    def update(self, stored: StoreResult) -> None:
        """Add what was stored. Called inside the transaction that stored it."""
        state = _COMPLETE if self._is_complete else filled(self._connection)
        if state is None:
            return
        again = [run_id for run_id in stored.refold if state.has_passed(run_id, "")]
        add_runs_again(self._connection, again)
        if state.run_id in again:
            # All of it is there now, and not to be added once more.
            set_filled(self._connection, state._replace(event_id=_LAST))
        refold = stored.refold
        new = [row for row in stored.new if row[RUN_ID] not in refold]
        add_events(
            self._connection,
            [row for row in new if state.has_passed(row[RUN_ID], row[EVENT_ID])],
        )

    def fill(self, should_stop: ShouldStop) -> None:
        """Add the events that were there before the index."""
        while not self._is_complete:
            state = filled(self._connection)
            if state is None or should_stop():
                return
            if not state.is_complete:
                with transaction(self._connection):
                    state = fill_further(self._connection, state, _EVENTS_AT_ONCE)
            self._is_complete = state.is_complete


def prepare(connection: sqlite3.Connection, base: Base) -> None:
    """Create the index, or drop it, as the settings say; as they can't be read, it stays."""
    wanted = is_wanted(base)
    if wanted is None or wanted == has_tables(connection):
        return
    if wanted and not is_supported():
        # Imported here: reading commands come by, and nothing else here needs it.
        import logging

        logging.getLogger(__name__).error(
            "no search index: SQLite %s has no trigrams", sqlite3.sqlite_version
        )
        return
    with transaction(connection):
        drop_tables(connection)
        if wanted:
            create_tables(connection)


def is_prepared(connection: sqlite3.Connection, base: Base) -> bool:
    """Whether there is an index if the settings ask for one, and all events are in it."""
    wanted = is_wanted(base)
    if not has_tables(connection):
        return not wanted
    state = filled(connection)
    return wanted is not False and state is not None and state.is_complete


def wanted_by(document: Mapping[str, Any]) -> bool:
    """Return whether a settings file asks for an index."""
    table = document.get("search", {})
    return isinstance(table, Mapping) and table.get("index") is True


def is_wanted(base: Base) -> Optional[bool]:
    """Return whether the settings ask for an index; None where they cannot be read."""
    path = base.settings_path
    if not path.exists():
        return False
    # Imported here: most bases have no settings file, and every reading command comes by.
    from indexer.outbox.settings_file import read_document

    document, problems = read_document(path)
    return None if problems else wanted_by(document)

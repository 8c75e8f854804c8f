"""Hold one base's database open for writing, and keep it in step with the log.

The one handle that the daemon, a single pass, forwarding and rebuild hold. Opening it never
rebuilds anything: `indexer.database.opening` decides that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from indexer.database.gone_processes import refresh_gone_processes
from indexer.database.pricing.calls import price_calls
from indexer.database.search_index import SearchIndex, prepare
from indexer.database.session_checks import SessionChecks
from indexer.errors import DatabaseDamaged, OutOfMemory
from indexer.ingest.ingest import Ingest, Listener, PassResult
from indexer.outbox.targets import load_targets
from indexer.store import connection as database
from indexer.store.schema.check import create_schema, differences, has_our_schema, is_empty
from indexer.store.sqlite_errors import translated
from indexer.store.status import (
    set_queued_for,
    set_stale_after,
    update_status,
)
from indexer.system.callbacks import Progress, ShouldStop, never_stop, no_progress
from telemetry_core.event import ALERT_DELIVERED, ALERT_DELIVERY_FAILED

if TYPE_CHECKING:
    from indexer.outbox.projection import OutboxProjection
    from indexer.store.events.deduplication import StoreResult
    from indexer.system.base import Base

Result = TypeVar("Result")


ALERT_RECEIPTS = (ALERT_DELIVERED, ALERT_DELIVERY_FAILED)


class Session:
    """One base's database, open for writing. Close it when done."""

    def __init__(
        self,
        base: Base,
        connection: sqlite3.Connection,
        on_progress: Progress = no_progress,
        should_stop: ShouldStop = never_stop,
    ) -> None:
        """Use a connection that `open` or `open_or_rebuild` made."""
        self.connection = connection
        self._base = base
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._lease = base.write_lease()
        self._checks = SessionChecks(base.database_path, connection)
        self._outbox = _outbox_of(connection, base)
        self._search = SearchIndex(connection)
        self._is_read = False
        self._ingest = Ingest(connection, base.log_directory, listeners=self._listeners())

    @classmethod
    def open(
        cls, base: Base, on_progress: Progress = no_progress, should_stop: ShouldStop = never_stop
    ) -> Session:
        """Open the database, created empty if missing.

        `on_progress` gets the bytes read; `should_stop` is asked between batches. Raises
        DatabaseDamaged where it has to be rebuilt first, NotOurDatabase, or another
        TelemetryError or OSError.
        """
        connection = open_current(base)
        with database.closed_on_error(connection):
            with base.write_lease(), translated(base.database_path):
                set_stale_after(connection, base.config.stale_after)
                prepare(connection, base)
            return cls(base, connection, on_progress, should_stop)

    def run_pass(self) -> PassResult:
        """Bring the database up to date with the log. Raises TelemetryError or OSError."""
        with self._writing():
            try:
                result = self._ingest.run_pass(self._should_stop, self._on_progress)
            except MemoryError as error:
                raise OutOfMemory("there is not enough memory to index the log") from error
            self._is_read = result.is_complete
            price_calls(self.connection, self._base.directory)
            if result.is_complete and self._outbox is not None:
                self._outbox.catch_up(self._should_stop)
            self._search.fill(self._should_stop)
            return result

    @property
    def has_read_log(self) -> bool:
        """Whether the last pass read the log to its end."""
        return self._is_read

    def is_outbox_complete(self) -> bool:
        """Whether the log was read to its end, and everything due is in the outbox."""
        return self._is_read and (self._outbox is None or self._outbox.is_complete())

    def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` as the only writer. Raises TelemetryError."""
        with self._writing():
            return work(self.connection)

    def refresh_gone_processes(self) -> None:
        """Find out which running runs have lost their process. Raises TelemetryError."""
        self.write(refresh_gone_processes)

    def update_status(self, **columns: Any) -> None:
        """Set columns of `indexer_status`. Raises TelemetryError."""
        self.write(lambda connection: update_status(connection, **columns))

    def truncate_large_wal(self) -> None:
        """Shrink a write-ahead log that a reader caused to grow. Raises TelemetryError."""
        # SQLite itself cuts a log that it starts over to the very limit, and leaves it there.
        if database.wal_bytes(self._base.database_path) >= database.WAL_LIMIT_BYTES:
            self.write(database.empty_wal)

    def check_readers_see_writes(self) -> None:
        """Raise DatabaseDamaged unless a new connection sees what this one has written."""
        with self._writing():
            self._checks.check_readers_see_writes()

    def is_in_place(self) -> bool:
        """Whether the open database is still the file that readers would open."""
        return self._checks.is_in_place()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def _listeners(self) -> Sequence[Listener]:
        outbox = self._forget_queue if self._outbox is None else self._outbox.update
        return (outbox, self._settle_alerts, self._search.update)

    def _settle_alerts(self, stored: StoreResult) -> None:
        """Remove messages of alerts from the outbox whose receipt was read."""
        receipts = stored.new_of(ALERT_RECEIPTS)
        if receipts:
            # Imported here: most users have no alerts, and every command that reads comes by.
            from indexer.outbox.queue import remove_settled_alerts

            remove_settled_alerts(self.connection, receipts)

    def _forget_queue(self, _: StoreResult) -> None:
        """Note that what is folded without a target in mind is queued for none."""
        set_queued_for(self.connection, None)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write alone: not even a rebuild, which has a connection of its own, does meanwhile."""
        with self._lease, translated(self._base.database_path):
            self._checks.check_companions()
            yield


def open_current(base: Base) -> sqlite3.Connection:
    """Open the database for writing, created empty if missing.

    One that is created here fills with the passes, so that work done survives an interruption;
    there are no old rows that a reader could miss meanwhile. Raises DatabaseDamaged for one of
    another version or with another schema.
    """
    path = base.database_path
    with base.write_lease():
        connection = database.open_writer(path, base.config.journal_mode)
        with database.closed_on_error(connection), translated(path):
            if is_empty(connection):
                create_schema(connection)
            if not has_our_schema(connection):
                what = ", ".join(differences(connection)) or "its version"
                raise DatabaseDamaged(f"{path} has another schema: {what}")
    return connection


def _outbox_of(connection: sqlite3.Connection, base: Base) -> Optional[OutboxProjection]:
    targets = load_targets(base).targets
    if not targets:
        return None
    # Imported here: most bases forward nothing, and every reading command opens a session.
    from indexer.outbox.projection import OutboxProjection

    return OutboxProjection(connection, targets)

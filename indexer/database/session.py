"""The view: the database open for writing and in step with the log's version of it.

Called by the daemon and by single passes, which hold the indexer's lease. A database that is
damaged or of another schema version is rebuilt from the log, here and by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from indexer.database.rebuild import rebuild
from indexer.errors import DatabaseDamaged, DatabaseOutOfReach, DatabaseUnusable
from indexer.ingest.ingest import Ingest, PassResult
from indexer.outbox.targets import load_targets
from indexer.store import connection as database
from indexer.store.status import (
    read_status,
    refresh_gone_processes,
    set_queued_for,
    set_stale_after,
    update_status,
)
from indexer.system.base import Base
from indexer.system.filesystem import identity

if TYPE_CHECKING:
    from indexer.outbox.projection import OutboxProjection
    from indexer.store.events.deduplication import StoreResult

Result = TypeVar("Result")


class Session:
    """One base's database, open for writing. Close it when done."""

    def __init__(
        self,
        base: Base,
        on_progress: Callable[[int], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Open the view, rebuilt first if need be. Raises TelemetryError or OSError.

        `on_progress` is told of bytes read; `should_stop` is asked between batches.
        """
        self._base = base
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._lease = base.write_lease()
        self._companions: Optional[list[tuple[int, int]]] = None
        self.connection = self._open()
        self._identity = identity(base.database_path)
        self._companions = self._find_companions()
        self._due = _outbox_of(self.connection, base)
        self._is_read = False
        on_folded = self._forget_queue if self._due is None else self._due.update
        self._ingest = Ingest(self.connection, base.log_directory, on_folded=on_folded)

    def run_pass(self) -> PassResult:
        """Bring the view up to date with the log. Raises TelemetryError or OSError."""
        with self._writing():
            result = self._ingest.run_pass(self._should_stop, self._on_progress)
            self._is_read = result.is_complete
            if result.is_complete and self._due is not None:
                self._due.catch_up(self._should_stop)
            return result

    def is_outbox_complete(self) -> bool:
        """Whether the log was read to its end, and what is to be forwarded is in the outbox."""
        return self._is_read and self._due is not None and self._due.is_complete()

    def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Have something else written, alone. Raises TelemetryError."""
        with self._writing():
            return work(self.connection)

    def refresh_gone_processes(self) -> None:
        """Find out which running runs have lost their process. Raises TelemetryError."""
        with self._writing():
            refresh_gone_processes(self.connection)

    def update_status(self, **columns: Any) -> None:
        """Set columns of `indexer_status`. Raises TelemetryError."""
        with self._writing():
            update_status(self.connection, **columns)

    def truncate_large_wal(self) -> None:
        """Shrink a write-ahead log that a reader made grow. Raises TelemetryError."""
        path = self._base.database_path
        if database.wal_bytes(path) > database.WAL_LIMIT_BYTES:
            with self._writing():
                database.empty_wal(self.connection)

    def check_readers_see_writes(self) -> None:
        """Raise DatabaseDamaged unless a new connection sees what this one has written.

        Of a file that is truncated or overwritten where it stands, or whose write-ahead log is
        deleted, this connection may hear nothing: it goes on with what it has in memory.
        """
        path = self._base.database_path
        with self._writing():
            try:
                with database.reading(path) as reader:
                    is_seen = read_status(reader) == read_status(self.connection)
            except DatabaseOutOfReach:
                # No descriptors left, or no permission: nothing that a rebuild could mend.
                raise
            except DatabaseUnusable as error:
                raise DatabaseDamaged(f"readers can't open what is written: {error}") from error
            if not is_seen:
                raise DatabaseDamaged(f"{path}: readers do not see what is written")

    def _forget_queue(self, _: StoreResult) -> None:
        """What is folded without a target in mind is queued for none."""
        set_queued_for(self.connection, None)

    def is_in_place(self) -> bool:
        """Whether the open database is still the file that readers would open."""
        return identity(self._base.database_path) == self._identity

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write alone: not even a rebuild, which has a connection of its own, does meanwhile."""
        with self._lease, database.translated(self._base.database_path):
            if self._companions is not None and self._find_companions() != self._companions:
                # Who opens the database now agrees on nothing with who has it open.
                path = self._base.database_path
                raise DatabaseDamaged(f"{path}: its write-ahead log was deleted or replaced")
            yield

    def _find_companions(self) -> list[tuple[int, int]]:
        path = str(self._base.database_path)
        return [identity(f"{path}{suffix}") for suffix in ("-wal", "-shm")]

    def _open(self) -> sqlite3.Connection:
        path = self._base.database_path
        try:
            connection = self._open_ours(path)
        except DatabaseDamaged:
            connection = None
        if connection is None:
            rebuild(self._base, self._on_progress, self._should_stop)
            connection = database.open_writer(path, self._base.config.journal_mode)
        with database.closed_on_error(connection), self._writing():
            set_stale_after(connection, self._base.config.stale_after)
        return connection

    def _open_ours(self, path: Path) -> Optional[sqlite3.Connection]:
        """Open the database, made empty if there is none; None if it is not ours as it should be.

        One that is made here fills with the passes, so that work done survives if they are
        interrupted; there are no old rows that a reader could miss meanwhile.
        """
        with self._lease:
            connection = database.open_writer(path, self._base.config.journal_mode)
            with database.closed_on_error(connection), database.translated(path):
                if database.is_empty(connection):
                    database.create_schema(connection)
                if database.has_our_schema(connection):
                    return connection
        connection.close()
        return None


def _outbox_of(connection: sqlite3.Connection, base: Base) -> Optional[OutboxProjection]:
    targets = load_targets(base).targets
    if not targets:
        return None
    # Imported here: most bases forward nothing, and every command that reads opens the view.
    from indexer.outbox.projection import OutboxProjection

    return OutboxProjection(connection, targets)

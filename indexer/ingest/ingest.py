"""Bring what is new in the log into the database, exactly once.

Made by the daemon, by `telemetry index`, by every reading command when no daemon runs, and by
rebuild. Lines, rows and the cursors behind them are committed together or not at all.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from indexer.ingest.apply import fold_into_rows
from indexer.ingest.batch import Batch
from indexer.ingest.collector import collector_paused
from indexer.log.cursor import Cursor, is_log_unchanged, is_unchanged
from indexer.log.decode import Ordinals
from indexer.log.reader import FileChanged, Portion, lines_before, read_portions
from indexer.log.renames import find_renamed, preserves_order, was_replaced
from indexer.log.segments import Segment, list_segments
from indexer.log.streams import StreamUnsupported
from indexer.store import cursors
from indexer.store.connection import transaction
from indexer.store.cursors import DUPLICATE, INDEXED, QUARANTINED
from indexer.store.events.deduplication import StoreResult, store_events
from indexer.store.quarantine import quarantine
from indexer.system.callbacks import Progress, ShouldStop, never_stop, no_progress

Listener = Callable[[StoreResult], None]

_MAX_ORDINALS = 4
"""For how many segments the count of legacy lines is remembered from pass to pass."""


class PassResult(NamedTuple):
    """What one pass found."""

    lines: dict[str, int]
    """How many lines were indexed, duplicate or quarantined."""
    read_bytes: int
    problems: list[str]
    """Segments that could not be read, each with the reason."""
    is_complete: bool
    """Whether the pass reached the end of every segment, rather than being asked to stop."""


class Ingest:
    """Passes over one log into one database. What it remembers saves work, and decides nothing."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        log_directory: Path,
        omit: Collection[str] = (),
        listeners: Sequence[Listener] = (),
    ) -> None:
        """Read the log in `log_directory`, except for the segments that `omit` names.

        Each listener gets what was stored and folded, inside the transaction that wrote it.
        """
        self._connection = connection
        self._log_directory = log_directory
        self._omit = omit
        self._listeners = listeners
        self._ordinals: dict[str, tuple[int, Ordinals]] = {}
        self._known: dict[str, Cursor] = {}
        self._known_at: Optional[tuple[int, int]] = None

    def run_pass(
        self,
        should_stop: ShouldStop = never_stop,
        on_progress: Progress = no_progress,
    ) -> PassResult:
        """Read every segment to its end. Raises OSError if the log's directory cannot be read.

        `should_stop` is asked between batches; `on_progress` gets the plain bytes of each. A
        lack of memory raises MemoryError, and leaves the batch out as a whole.
        """
        total: Counter[str] = Counter()
        while True:
            try:
                return self._try_pass(total, should_stop, on_progress)
            except FileChanged as change:
                # Not what the cursor knows: read it from its beginning, and with it every segment
                # that repeats lines which it may have had.
                with transaction(self._connection):
                    cursors.forget_segments(self._connection, [change.name])

    def _try_pass(
        self, total: Counter[str], should_stop: ShouldStop, on_progress: Progress
    ) -> PassResult:
        problems: list[str] = []
        batches = self._batches(problems)
        while self._next_batch(batches, total, on_progress):
            if should_stop():
                return _result(total, problems, is_complete=False)
        return _result(total, problems, is_complete=True)

    def _next_batch(
        self, batches: Iterator[Batch], total: Counter[str], on_progress: Progress
    ) -> bool:
        """Read and store the next batch; False if there is none."""
        # The rows of a batch are tens of thousands of tuples without a cycle among them.
        with collector_paused():
            batch = next(batches, None)
            if batch is not None:
                self._commit(batch, total, on_progress)
        return batch is not None

    def _batches(self, problems: list[str]) -> Iterator[Batch]:
        """Yield what is new in the log, in batches to commit one after the other."""
        batch = Batch()
        for file, before, portion in self._portions(problems):
            part = batch.parts.get(file.name)
            ordinals = part.ordinals if part else self._take_ordinals(file, before)
            batch.add(before, portion, ordinals)
            if batch.is_full:
                yield batch
                batch = Batch()
        if batch.parts:
            yield batch

    def _portions(self, problems: list[str]) -> Iterator[tuple[Segment, Optional[Cursor], Portion]]:
        """Yield what is new in the log, each portion with the cursor that it began from."""
        known = self._cursors()
        if not self._omit and is_log_unchanged(self._log_directory, known):
            return
        files = [f for f in list_segments(self._log_directory) if f.name not in self._omit]
        changed = _changed_segments(files, known)
        if self._follow(files, changed, known):
            known = self._cursors()
            changed = _changed_segments(files, known)
        for file in changed:
            cursor = known.get(file.name)
            try:
                for portion in read_portions(file, cursor):
                    yield file, cursor, portion
                    cursor = portion.cursor
            except FileNotFoundError:
                # Gone since the directory was read: the next pass sees what became of it.
                continue
            except (OSError, StreamUnsupported) as error:
                problems.append(f"{file.name}: {error}")

    def _cursors(self) -> dict[str, Cursor]:
        """Return the cursors, read again only if anything but `_commit` has written since."""
        if self._known_at != self._state():
            self._known = cursors.all_cursors(self._connection)
            self._known_at = self._state()
        return self._known

    def _state(self) -> tuple[int, int]:
        """Return what changes with every change of the database, by others or by ourselves."""
        (by_others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return by_others, self._connection.total_changes

    def _follow(
        self, files: list[Segment], changed: list[Segment], known: dict[str, Cursor]
    ) -> bool:
        """Find segments that are gone: renamed ones keep rows and cursor, others are forgotten.

        Returns whether any are gone: their cursors have changed, and so may have those of
        segments that repeat them.
        """
        gone = known.keys() - {file.name for file in files}
        gone |= {f.name for f in changed if f.name in known and was_replaced(f, known[f.name])}
        if not gone:
            return False
        new = [file for file in files if file.name not in known]
        moves = find_renamed([known[name] for name in gone], new)
        with transaction(self._connection):
            cursors.forget_segments(self._connection, gone - moves.keys())
            if moves and preserves_order(cursors.all_cursors(self._connection), moves):
                cursors.rename_segments(self._connection, moves)
            else:
                cursors.forget_segments(self._connection, moves.keys())
        return True

    def _commit(self, batch: Batch, total: Counter[str], on_progress: Progress) -> None:
        """Store a batch and move the cursors behind it, all of it or nothing."""
        with transaction(self._connection):
            for name, part in batch.parts.items():
                cursors.advance(self._connection, part.before, part.after, part.tally)
                quarantine(self._connection, name, part.faults)
            placed = store_events(self._connection, batch.rows)
            fold_into_rows(self._connection, placed)
            for listener in self._listeners:
                listener(placed)
        for name, part in batch.parts.items():
            self._known[name] = part.after
            self._keep_ordinals(name, part.after.offset, part.ordinals)
            total.update({INDEXED: part.tally.indexed, QUARANTINED: part.tally.quarantined})
        total.update({INDEXED: -placed.duplicates, DUPLICATE: placed.duplicates})
        self._known_at = self._state()
        total["bytes"] += batch.bytes
        on_progress(batch.bytes)

    def _take_ordinals(self, file: Segment, cursor: Optional[Cursor]) -> Ordinals:
        offset = cursor.offset if cursor is not None else 0
        # Removed, and put back only after the last commit: a pass that fails in between has
        # counted lines that it will read again.
        kept_offset, kept = self._ordinals.pop(file.name, (-1, None))
        if kept is not None and kept_offset == offset:
            return kept
        return Ordinals(lambda: lines_before(file, offset))

    def _keep_ordinals(self, name: str, offset: int, ordinals: Ordinals) -> None:
        self._ordinals[name] = (offset, ordinals)
        while len(self._ordinals) > _MAX_ORDINALS:
            del self._ordinals[next(iter(self._ordinals))]


def _changed_segments(files: list[Segment], known: Mapping[str, Cursor]) -> list[Segment]:
    return [file for file in files if not is_unchanged(file, known.get(file.name))]


def _result(total: Counter[str], problems: list[str], *, is_complete: bool) -> PassResult:
    lines = {name: total[name] for name in (INDEXED, DUPLICATE, QUARANTINED) if total[name]}
    return PassResult(lines, total["bytes"], problems, is_complete)

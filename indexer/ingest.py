"""The ingest pass: what is new in the log goes into the database, exactly once.

The one place where fold and store meet. Called by the daemon, by `telemetry index`, by every
reading command when no daemon runs, and by rebuild; they all do the same. Lines, rows and the
cursor behind them are committed together or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from indexer import cursors
from indexer.cursors import INDEXED, QUARANTINED, Cursor, Tally
from indexer.database import transaction
from indexer.decode import Entry, Ordinals, decode_lines
from indexer.events import Placed, events_of_run, place_events
from indexer.fold import continues, fold
from indexer.log_files import LogFile, list_log_files
from indexer.moves import find_moves, is_another, keeps_order
from indexer.reading import Batch, FileChanged, is_unchanged, lines_before, read_batches
from indexer.runs import delete_runs, load_runs, save_runs
from indexer.streams import StreamUnsupported
from telemetry_core.event import Event

_MAX_ORDINALS = 4
"""Of how many files the count of legacy lines is remembered from pass to pass."""


class PassResult(NamedTuple):
    """What one pass found."""

    lines: dict[str, int]
    """How many lines were indexed, duplicate or quarantined."""
    read_bytes: int
    problems: list[str]
    """Files that could not be read, each with the reason."""
    is_complete: bool
    """Whether the pass reached the end of every file, rather than being told to stop."""


class Ingest:
    """Passes over one log into one database. What it holds only saves work, never decides."""

    def __init__(
        self, connection: sqlite3.Connection, log_directory: Path, omit: Collection[str] = ()
    ) -> None:
        """Read the log in `log_directory`, but for the files that `omit` names."""
        self._connection = connection
        self._log_directory = log_directory
        self._omit = omit
        self._ordinals: dict[str, tuple[int, Ordinals]] = {}

    def run_pass(
        self,
        should_stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> PassResult:
        """Read every file to its end. Raises OSError if the log's directory can't be read.

        `should_stop` is asked between batches; `on_progress` is told the plain bytes of each.
        """
        total = Tally.empty()
        while True:
            try:
                return self._try_pass(total, should_stop, on_progress)
            except FileChanged as change:
                # Not what the cursor knows: read it from its beginning, and with it whatever
                # file repeats lines that it may have had.
                self._forget([change.name])

    def _try_pass(
        self, total: Tally, should_stop: Callable[[], bool], on_progress: Callable[[int], None]
    ) -> PassResult:
        problems = []
        is_complete = True
        files = [f for f in list_log_files(self._log_directory) if f.name not in self._omit]
        self._follow(files)
        known = cursors.all_cursors(self._connection)
        for file in files:
            if is_unchanged(file, known.get(file.name)):
                continue
            try:
                for tally in self._index(file, known.get(file.name)):
                    total.lines.update(tally.lines)
                    total.bytes.update(tally.bytes)
                    on_progress(sum(tally.bytes.values()))
                    if should_stop():
                        is_complete = False
                        break
            except FileNotFoundError:
                # Gone since the directory was read: the next pass sees what became of it.
                continue
            except (OSError, StreamUnsupported) as error:
                problems.append(f"{file.name}: {error}")
            if not is_complete:
                break
        return PassResult(dict(total.lines), sum(total.bytes.values()), problems, is_complete)

    def _follow(self, files: list[LogFile]) -> None:
        """See to files that went: what was moved keeps rows and cursor, others are forgotten."""
        known = cursors.all_cursors(self._connection)
        stays = {f.name for f in files if f.name in known and not is_another(f, known[f.name])}
        gone = known.keys() - stays
        if not gone:
            return
        new = [file for file in files if file.name not in known]
        moves = find_moves([known[name] for name in gone], new)
        with transaction(self._connection):
            cursors.forget_files(self._connection, gone - moves.keys())
            left = cursors.all_cursors(self._connection)
            moves = {old: file for old, file in moves.items() if old in left}
            if moves and keeps_order(left, moves):
                cursors.move_files(self._connection, moves)
            else:
                cursors.forget_files(self._connection, moves.keys())

    def _forget(self, names: Collection[str]) -> None:
        if names:
            with transaction(self._connection):
                cursors.forget_files(self._connection, names)

    def _index(self, file: LogFile, cursor: Optional[Cursor]) -> Iterator[Tally]:
        """Commit what is new in one file, batch by batch."""
        ordinals = self._take_ordinals(file, cursor)
        for batch in read_batches(file, cursor):
            yield self._commit(file.name, cursor, batch, ordinals)
            cursor = batch.cursor
        if cursor is not None:
            self._keep_ordinals(file.name, cursor.offset, ordinals)

    def _commit(
        self, name: str, before: Optional[Cursor], batch: Batch, ordinals: Ordinals
    ) -> Tally:
        entries = list(decode_lines(batch.lines, ordinals))
        with transaction(self._connection):
            placed = place_events(
                self._connection, name, [(e.event, e.line) for e in entries if e.event is not None]
            )
            tally = _tally(entries, placed.outcomes)
            cursors.quarantine(
                self._connection,
                name,
                [
                    (e.line.offset, e.line.length, e.fault, e.line.content)
                    for e in entries
                    if e.fault is not None
                ],
            )
            self._fold(placed)
            cursors.advance(self._connection, before, batch.cursor, tally)
        return tally

    def _fold(self, placed: Placed) -> None:
        """Bring the rows of all runs that got events up to date."""
        news: dict[str, list[Event]] = {run_id: [] for run_id in placed.refold}
        for event in placed.new:
            news.setdefault(event.run_id, []).append(event)
        rows = load_runs(self._connection, news.keys())
        folded = []
        for run_id, events in news.items():
            events.sort(key=lambda event: (event.time, event.id))
            row = rows.get(run_id)
            if run_id in placed.refold or (row is not None and not continues(row, events[0])):
                row = fold(None, events_of_run(self._connection, run_id))
            else:
                row = fold(row, events)
            if row is not None:
                folded.append(row)
        save_runs(self._connection, folded)

    def _take_ordinals(self, file: LogFile, cursor: Optional[Cursor]) -> Ordinals:
        offset = cursor.offset if cursor is not None else 0
        # Taken out, and put back only after the last commit: a pass that fails in between has
        # counted lines that it will meet again.
        kept_offset, kept = self._ordinals.pop(file.name, (-1, None))
        if kept is not None and kept_offset == offset:
            return kept
        return Ordinals(lambda: lines_before(file, offset))

    def _keep_ordinals(self, name: str, offset: int, ordinals: Ordinals) -> None:
        self._ordinals[name] = (offset, ordinals)
        while len(self._ordinals) > _MAX_ORDINALS:
            del self._ordinals[next(iter(self._ordinals))]


def refold_runs(connection: sqlite3.Connection, run_ids: Collection[str]) -> None:
    """Make the rows of runs anew of the events that are stored; none for runs without events.

    Called inside a transaction.
    """
    delete_runs(connection, run_ids)
    for run_id in run_ids:
        row = fold(None, events_of_run(connection, run_id))
        if row is not None:
            save_runs(connection, [row])


def _tally(entries: list[Entry], outcomes: list[str]) -> Tally:
    """Count what each line came to. A blank line carries nothing, and counts as indexed bytes."""
    tally = Tally.empty()
    outcome_of_events = iter(outcomes)
    for entry in entries:
        if entry.event is not None:
            tally.add(next(outcome_of_events), entry.line.length)
        elif entry.fault is not None:
            tally.add(QUARANTINED, entry.line.length)
        else:
            tally.bytes[INDEXED] += entry.line.length
    return tally

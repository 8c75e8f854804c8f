"""Verify the database against the log: every line is read again, every run folded again.

It trusts no cursor and no count. It only reads, and repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple, Optional

from indexer.database.freshness import refresh_database
from indexer.database.line_counts import LineCounts, adds_nothing_to
from indexer.database.run_comparison import RunComparison
from indexer.ingest.batch import MAX_LINES
from indexer.ingest.parse import decode_block
from indexer.log.decode import Ordinals
from indexer.log.lines import Block, Line, read_blocks
from indexer.log.segments import Segment, file_id, list_segments
from indexer.log.streams import StreamBroken, StreamUnfinished, StreamUnsupported, open_stream
from indexer.store.connection import reading
from indexer.store.cursors import DUPLICATE, INDEXED, QUARANTINED
from indexer.store.events.by_type import count_differences
from indexer.store.events.codec import EventRow, StoredEvent, alternative_id
from indexer.store.events.compare import rows_unlike_stored
from indexer.store.events.table import find_event
from indexer.store.quarantine import Fault
from indexer.store.search.query import is_indexed, missing_events
from indexer.system.base import Base
from indexer.system.callbacks import Progress, no_progress

MAX_DIFFERENCES = 100


class Verification(NamedTuple):
    """What a verification found."""

    lines: int
    events: int
    """Rows of `run_events` that are in the log."""
    runs: int
    bytes: int
    pending_bytes: int
    """Bytes that came while the verification ran, or that wait for their newline."""
    differences: list[str]
    """Where log and database differ, in words; the first hundred."""
    behind_bytes: int = 0
    """Bytes that the database has not indexed yet, because the daemon is stopped or behind."""

    @property
    def is_ok(self) -> bool:
        """Whether the database is what the log says."""
        return not self.differences


def verify(base: Base, on_progress: Progress = no_progress) -> Verification:
    """Compare the database with the log. Raises TelemetryError or OSError.

    Writers may go on meanwhile: what was there at the start has to be indexed, no more. Where
    segments went meanwhile, because they were archived or pruned, it starts again. Where the
    daemon has not caught up, it compares up to the cursors, and says how much it is behind.
    """
    while True:
        sizes = {file.name: file.size for file in list_segments(base.log_directory)}
        may_be_behind = bool(refresh_database(base))
        report = _compare(base, sizes, on_progress, may_be_behind=may_be_behind)
        left = {file.name for file in list_segments(base.log_directory)}
        if report.is_ok or sizes.keys() <= left:
            return report


def _compare(
    base: Base, sizes: dict[str, int], on_progress: Progress, *, may_be_behind: bool
) -> Verification:
    with reading(base.database_path) as connection:
        # One snapshot for all that is compared.
        connection.execute("BEGIN")
        verification = _Comparison(connection, sizes, may_be_behind=may_be_behind)
        for file in list_segments(base.log_directory):
            verification.check_file(file, on_progress)
        verification.check_totals()
        verification.check_runs()
        verification.check_indexes()
        connection.execute("COMMIT")
        return verification.report()


class _Comparison:
    """The counting and comparing of one verification."""

    def __init__(
        self, connection: sqlite3.Connection, sizes: dict[str, int], *, may_be_behind: bool
    ) -> None:
        self._connection = connection
        self._may_be_behind = may_be_behind
        self._behind = 0
        self._sizes = sizes
        self._files = _rows_by(connection, "log_files", "name")
        self._differences: list[str] = []
        self._lines = self._bytes = self._pending = 0
        self._events = self._runs = self._quarantined = 0

    def report(self) -> Verification:
        return Verification(
            self._lines,
            self._events,
            self._runs,
            self._bytes,
            self._pending,
            self._differences,
            self._behind,
        )

    def check_file(self, file: Segment, on_progress: Progress) -> None:
        """Decode a file from its start; every line has to be where the database says."""
        row = self._files.pop(file.name, None)
        offset = row["offset"] if row else 0
        counts, ordinals = LineCounts(), Ordinals(lambda: ())
        rows: list[EventRow] = []
        for block in self._blocks_of(file):
            read, unread = block.cut(offset)
            more, faults = decode_block(read, file_id(file.name), ordinals)
            rows += more
            counts.bytes[INDEXED] += read.length
            self._check_faults(file.name, faults, counts)
            self._note_unread(file, unread)
            on_progress(block.length)
            if len(rows) >= MAX_LINES:
                self._check_rows(file.name, rows, counts)
                rows = []
        self._check_rows(file.name, rows, counts)
        self._check_counts(file, row, counts)

    def _blocks_of(self, file: Segment) -> Iterator[Block]:
        try:
            with closing(open_stream(file.path)) as stream:
                # To where the file ended: its writers may be quicker than this.
                yield from read_blocks(stream, 0, None if file.is_compressed else file.size)
        except (StreamBroken, StreamUnfinished, StreamUnsupported):
            # What cannot be decoded was not indexed either; the segment's `fault` says so.
            return
        except OSError as error:
            # One segment out of reach does not keep the others from being compared.
            self._differ(f"{file.name}: cannot be read: {error}")

    def _note_unread(self, file: Segment, lines: list[Line]) -> None:
        for line in lines:
            self._pending += line.length
            if file.is_compressed or line.end > self._sizes.get(file.name, 0):
                continue
            if self._may_be_behind:
                self._behind += line.length
            else:
                self._differ(f"{file.name}: line at offset {line.offset} is not indexed")

    def _check_faults(self, name: str, faults: list[Fault], counts: LineCounts) -> None:
        for fault in faults:
            counts.move(QUARANTINED, fault.length)
            kept = self._connection.execute(
                "SELECT length, reason, excerpt FROM quarantine WHERE file = ? AND offset = ?",
                (name, fault.offset),
            ).fetchone()
            if kept != (fault.length, fault.reason, fault.excerpt):
                self._differ(f"{name}: bad line at offset {fault.offset} is not quarantined")

    def _check_rows(self, name: str, rows: list[EventRow], counts: LineCounts) -> None:
        counts.lines[INDEXED] += len(rows)
        for row in rows_unlike_stored(self._connection, rows):
            self._check_row(name, StoredEvent._make(row), counts)

    def _check_row(self, name: str, row: StoredEvent, counts: LineCounts) -> None:
        """Check a row that is not stored just as it is: under another id, or as another's."""
        stored = find_event(self._connection, row.run_id, row.event_id)
        if stored is not None and not adds_nothing_to(stored, row):
            stored = find_event(self._connection, row.run_id, alternative_id(row))
        if stored is None or not adds_nothing_to(stored, row):
            self._differ(f"{name}: event {row.event_id} at {row.offset} is not in the database")
        elif (stored.file_id, stored.offset) == (row.file_id, row.offset):
            # It is stored for this line: then no value may differ.
            self._check_values(name, stored, row)
            return
        counts.lines[INDEXED] -= 1
        counts.move(DUPLICATE, row.length)

    def _check_values(self, name: str, stored: StoredEvent, row: StoredEvent) -> None:
        pairs = zip(StoredEvent._fields, stored, row._replace(event_id=stored.event_id))
        unlike = [column for column, known, wanted in pairs if known != wanted]
        if unlike:
            self._differ(f"{name}: event {row.event_id} has another {', '.join(unlike)}")

    def _check_counts(
        self, file: Segment, row: Optional[dict[str, Any]], counts: LineCounts
    ) -> None:
        self._lines += sum(counts.lines.values())
        self._bytes += sum(counts.bytes.values())
        self._events += counts.lines[INDEXED]
        self._quarantined += counts.lines[QUARANTINED]
        for outcome in (INDEXED, DUPLICATE, QUARANTINED):
            found = (counts.lines[outcome], counts.bytes[outcome])
            counted = (row[outcome], row[f"{outcome}_bytes"]) if row else (0, 0)
            if found != counted:
                self._differ(
                    f"{file.name}: {counted[0]} lines of {counted[1]} bytes are counted as"
                    f" {outcome}, the file has {found[0]} of {found[1]}"
                )

    def check_totals(self) -> None:
        """Nothing may be in the database that is not in the log."""
        for name in self._files:
            self._differ(f"{name}: in the database, but not in the log's directory")
        (stored,) = self._connection.execute("SELECT count(*) FROM run_events").fetchone()
        if stored != self._events:
            self._differ(f"{stored} events in the database, {self._events} of them in the log")
        (kept,) = self._connection.execute("SELECT count(*) FROM quarantine").fetchone()
        if kept != self._quarantined:
            self._differ(f"{kept} quarantined lines, {self._quarantined} of them in the log")

    def check_runs(self) -> None:
        """Every row has to be what its events fold to, and so have spans, claims and metrics."""
        comparison = RunComparison(self._connection, self._differ)
        comparison.compare()
        self._runs = comparison.runs

    def check_indexes(self) -> None:
        """What is found by its type, or by its text, has to be what the stored events are."""
        unlike = count_differences(self._connection)
        if unlike:
            self._differ(f"{unlike} events that are looked for by their type are not noted so")
        missing = missing_events(self._connection) if is_indexed(self._connection) else 0
        if missing:
            self._differ(f"the search index lacks {missing} events")

    def _differ(self, difference: str) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(difference)


def _rows_by(connection: sqlite3.Connection, table: str, key: str) -> dict[str, dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row)) for row in cursor]
    return {row[key]: row for row in rows}

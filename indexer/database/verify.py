"""The verification: the log read again from its first byte and held against the database.

Called by `telemetry verify`. It believes no cursor and no count: each line is decoded anew and
looked up, each row folded anew. It only reads, and it repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Callable, NamedTuple, Optional

from indexer.database.freshness import refresh_database
from indexer.ingest.apply import fold_all, whole_runs
from indexer.ingest.batch import MAX_LINES
from indexer.ingest.parse import decode_block
from indexer.ingest.projections.check import differences
from indexer.log.decode import Ordinals
from indexer.log.lines import Block, Line, read_blocks
from indexer.log.segments import Segment, file_id, list_segments
from indexer.log.streams import StreamBroken, StreamUnfinished, StreamUnsupported, open_stream
from indexer.store import runs
from indexer.store.connection import reading
from indexer.store.cursors import DUPLICATE, INDEXED, QUARANTINED
from indexer.store.events.codec import EventRow, StoredEvent, alternative_id
from indexer.store.events.table import find_event, rows_not_stored
from indexer.store.quarantine import Fault
from indexer.system.base import Base

MAX_DIFFERENCES = 100


class Verification(NamedTuple):
    """What a verification found."""

    lines: int
    events: int
    """Rows of `run_events` that stand in the log."""
    runs: int
    bytes: int
    pending_bytes: int
    """Bytes that came while the verification ran, or that wait for their newline."""
    differences: list[str]
    """Where log and database differ, in words; the first hundred."""

    @property
    def is_ok(self) -> bool:
        """Whether the database is what the log says."""
        return not self.differences


def verify(base: Base, on_progress: Callable[[int], None] = lambda _: None) -> Verification:
    """Hold the database against the log. Raises TelemetryError or OSError.

    Writers may go on meanwhile: what was there at the start has to be indexed, no more. Where
    files went meanwhile, because they were archived or pruned, it looks again.
    """
    while True:
        sizes = {file.name: file.size for file in list_segments(base.log_directory)}
        refresh_database(base)
        report = _compare(base, sizes, on_progress)
        left = {file.name for file in list_segments(base.log_directory)}
        if report.is_ok or sizes.keys() <= left:
            return report


def _compare(base: Base, sizes: dict[str, int], on_progress: Callable[[int], None]) -> Verification:
    with reading(base.database_path) as connection:
        # One snapshot for all that is compared.
        connection.execute("BEGIN")
        verification = _Comparison(connection, sizes)
        for file in list_segments(base.log_directory):
            verification.check_file(file, on_progress)
        verification.check_totals()
        verification.check_runs()
        verification.check_projections()
        connection.execute("COMMIT")
        return verification.report()


class _Comparison:
    """The counting and comparing of one verification."""

    def __init__(self, connection: sqlite3.Connection, sizes: dict[str, int]) -> None:
        self._connection = connection
        self._sizes = sizes
        self._files = _rows_by(connection, "log_files", "name")
        self._differences: list[str] = []
        self._lines = self._bytes = self._pending = 0
        self._events = self._runs = self._quarantined = 0

    def report(self) -> Verification:
        return Verification(
            self._lines, self._events, self._runs, self._bytes, self._pending, self._differences
        )

    def check_file(self, file: Segment, on_progress: Callable[[int], None]) -> None:
        """Decode a file from its start; every line has to be where the database says."""
        row = self._files.pop(file.name, None)
        offset = row["offset"] if row else 0
        counts, ordinals = _Counts(), Ordinals(lambda: ())
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
            # What can't be decoded was not indexed either; the file's `fault` says so.
            return
        except OSError as error:
            # One file out of reach does not keep the others from being held against the view.
            self._differ(f"{file.name}: can't be read: {error}")

    def _note_unread(self, file: Segment, lines: list[Line]) -> None:
        for line in lines:
            self._pending += line.length
            if not file.is_compressed and line.end <= self._sizes.get(file.name, 0):
                self._differ(f"{file.name}: line at offset {line.offset} is not indexed")

    def _check_faults(self, name: str, faults: list[Fault], counts: _Counts) -> None:
        for fault in faults:
            counts.move(QUARANTINED, fault.length)
            kept = self._connection.execute(
                "SELECT length, reason FROM quarantine WHERE file = ? AND offset = ?",
                (name, fault.offset),
            ).fetchone()
            if kept != (fault.length, fault.reason):
                self._differ(f"{name}: bad line at offset {fault.offset} is not quarantined")

    def _check_rows(self, name: str, rows: list[EventRow], counts: _Counts) -> None:
        counts.lines[INDEXED] += len(rows)
        for row in rows_not_stored(self._connection, rows):
            self._check_row(name, StoredEvent._make(row), counts)

    def _check_row(self, name: str, row: StoredEvent, counts: _Counts) -> None:
        """Check a row that is not stored just as it is: under another id, or as another's."""
        stored = find_event(self._connection, row.run_id, row.event_id)
        if stored is not None and not _stands_for(stored, row):
            stored = find_event(self._connection, row.run_id, alternative_id(row))
        if stored is None or not _stands_for(stored, row):
            self._differ(f"{name}: event {row.event_id} at {row.offset} is not in the database")
        elif (stored.file_id, stored.offset) == (row.file_id, row.offset):
            return
        counts.lines[INDEXED] -= 1
        counts.move(DUPLICATE, row.length)

    def _check_counts(self, file: Segment, row: Optional[dict[str, Any]], counts: _Counts) -> None:
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
        """Every row has to be what its events fold to, and every run has to have its row."""
        stored = runs.rows_of_runs(self._connection)
        row = next(stored, None)
        for folded in fold_all(self._connection):
            run_id = folded["run_id"]
            self._runs += 1
            while row is not None and row["run_id"] < run_id:
                self._differ(f"run {row['run_id']} has a row but no events")
                row = next(stored, None)
            if row is None or row["run_id"] != run_id:
                self._differ(f"run {run_id} has events but no row")
                continue
            if row != folded:
                names = [name for name in folded if folded[name] != row[name]]
                self._differ(f"run {run_id} folds to another {', '.join(names)}")
            row = next(stored, None)
        if row is not None:
            self._differ(f"run {row['run_id']} has a row but no events")

    def check_projections(self) -> None:
        """Spans, claims and metrics have to be what the stored events come to."""
        for difference in differences(self._connection, whole_runs(self._connection)):
            self._differ(difference)

    def _differ(self, difference: str) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(difference)


class _Counts:
    """What the lines of a file come to, in lines and in bytes, by outcome."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def move(self, outcome: str, length: int) -> None:
        """Count a line as `outcome` whose bytes were counted as indexed."""
        self.lines[outcome] += 1
        self.bytes[outcome] += length
        self.bytes[INDEXED] -= length


def _stands_for(stored: StoredEvent, row: StoredEvent) -> bool:
    """Whether a line has nothing to add to a stored event."""
    if row.is_known_by_id and stored.type == row.type:
        return stored.content <= row.content
    return stored.content == row.content


def _rows_by(connection: sqlite3.Connection, table: str, key: str) -> dict[str, dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row)) for row in cursor]
    return {row[key]: row for row in rows}

"""The verification: the log read again from its first byte and held against the database.

Called by `telemetry verify`. It believes no cursor and no count: each line is decoded anew and
looked up, each row folded anew. It only reads, and it repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from typing import Any, Callable, NamedTuple, Optional

from indexer import runs
from indexer.cursors import DUPLICATE, INDEXED, QUARANTINED, Tally
from indexer.database import reading
from indexer.decode import Entry, Ordinals, decode_lines
from indexer.events import find_event, id_of_other, rows_of_events, to_event, to_row
from indexer.fold import fold
from indexer.fresh import bring_up_to_date
from indexer.log_files import LogFile, file_id, list_log_files
from indexer.streams import StreamBroken, StreamUnfinished, StreamUnsupported, open_stream
from indexer.tail import Line, read_lines
from telemetry_core.config import TelemetryConfig

MAX_DIFFERENCES = 100
_BLANK = "blank"


class Report(NamedTuple):
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


def verify(config: TelemetryConfig, on_progress: Callable[[int], None] = lambda _: None) -> Report:
    """Hold the database against the log. Raises TelemetryError or OSError.

    Writers may go on meanwhile: what was there at the start has to be indexed, no more. Where
    files went meanwhile, because they were archived or pruned, it looks again.
    """
    while True:
        sizes = {file.name: file.size for file in list_log_files(config.ndjson_dir)}
        bring_up_to_date(config)
        report = _compare(config, sizes, on_progress)
        left = {file.name for file in list_log_files(config.ndjson_dir)}
        if report.is_ok or sizes.keys() <= left:
            return report


def _compare(
    config: TelemetryConfig, sizes: dict[str, int], on_progress: Callable[[int], None]
) -> Report:
    with reading(config.database_path) as connection:
        # One snapshot for all that is compared.
        connection.execute("BEGIN")
        verification = _Verification(connection, sizes)
        for file in list_log_files(config.ndjson_dir):
            verification.check_file(file, on_progress)
        verification.check_totals()
        verification.check_runs()
        connection.execute("COMMIT")
        return verification.report()


class _Verification:
    """The counting and comparing of one verification."""

    def __init__(self, connection: sqlite3.Connection, sizes: dict[str, int]) -> None:
        self._connection = connection
        self._sizes = sizes
        self._files = _rows_by(connection, "log_files", "name")
        self._differences: list[str] = []
        self._lines = self._bytes = self._pending = 0
        self._events = self._runs = self._quarantined = 0

    def report(self) -> Report:
        return Report(
            self._lines, self._events, self._runs, self._bytes, self._pending, self._differences
        )

    def check_file(self, file: LogFile, on_progress: Callable[[int], None]) -> None:
        """Decode a file from its start; every line has to be where the database says."""
        row = self._files.pop(file.name, None)
        offset = row["offset"] if row else 0
        tally = Tally.empty()
        number = file_id(file.name)
        for entry in decode_lines(self._lines_of(file), Ordinals(lambda: ())):
            line = entry.line
            on_progress(line.length)
            if line.end > offset:
                self._note_unread(file, line)
                continue
            self._bytes += line.length
            outcome = self._check_entry(file, number, entry)
            self._lines += outcome != _BLANK
            tally.bytes[outcome] += line.length
            tally.lines[outcome] += 1
        self._check_counts(file, row, tally)

    def _lines_of(self, file: LogFile) -> Iterator[Line]:
        try:
            with closing(open_stream(file.path)) as stream:
                # To where the file ended: its writers may be quicker than this.
                yield from read_lines(stream, 0, None if file.is_compressed else file.size)
        except (StreamBroken, StreamUnfinished, StreamUnsupported):
            # What can't be decoded was not indexed either; the file's `fault` says so.
            return
        except OSError as error:
            # One file out of reach does not keep the others from being held against the view.
            self._differ(f"{file.name}: can't be read: {error}")

    def _note_unread(self, file: LogFile, line: Line) -> None:
        self._pending += line.length
        if not file.is_compressed and line.end <= self._sizes.get(file.name, 0):
            self._differ(f"{file.name}: line at offset {line.offset} is not indexed")

    def _check_entry(self, file: LogFile, number: int, entry: Entry) -> str:
        line = entry.line
        if entry.fault is not None:
            self._quarantined += 1
            kept = self._connection.execute(
                "SELECT length, reason FROM quarantine WHERE file = ? AND offset = ?",
                (file.name, line.offset),
            ).fetchone()
            if kept != (line.length, entry.fault):
                self._differ(f"{file.name}: bad line at offset {line.offset} is not quarantined")
            return QUARANTINED
        if entry.event is None:
            return _BLANK
        row = to_row(entry.event, number, line)
        stored = find_event(self._connection, row.run_id, row.event_id)
        if stored is not None and stored.content != row.content:
            stored = find_event(self._connection, row.run_id, id_of_other(row))
        if stored is None or stored.content != row.content:
            self._differ(
                f"{file.name}: event {row.event_id} at {line.offset} is not in the database"
            )
        elif (stored.file_id, stored.offset) == (number, line.offset):
            self._events += 1
            return INDEXED
        return DUPLICATE

    def _check_counts(self, file: LogFile, row: Optional[dict[str, Any]], tally: Tally) -> None:
        tally.bytes[INDEXED] += tally.bytes.pop(_BLANK, 0)
        for outcome in (INDEXED, DUPLICATE, QUARANTINED):
            found = (tally.lines[outcome], tally.bytes[outcome])
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
        for run_id, rows in groupby(rows_of_events(self._connection), lambda event: event.run_id):
            folded = fold(None, map(to_event, rows))
            if folded is None:
                continue
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

    def _differ(self, difference: str) -> None:
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(difference)


def _rows_by(connection: sqlite3.Connection, table: str, key: str) -> dict[str, dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row)) for row in cursor]
    return {row[key]: row for row in rows}

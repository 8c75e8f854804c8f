"""Prune: delete segments of old days together with their rows.

First the database becomes what a rebuild without these segments would give, atomically; then the
segments are deleted. Killed in between, the next pass brings their rows back, and pruning again
finishes. No segment is deleted that was not indexed to its end.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, Optional

from indexer.database.rebuild import rebuild
from indexer.database.search_index import SearchIndex
from indexer.errors import DatabaseUnusable
from indexer.ingest.apply import refold_runs
from indexer.ingest.ingest import Ingest
from indexer.log.cursor import Cursor, is_unchanged
from indexer.log.names import names_by_stem, parse_segment_name
from indexer.log.segments import Segment, file_id, list_segments
from indexer.outbox.projection import OutboxProjection
from indexer.outbox.targets import load_targets
from indexer.retention.removal import (
    UNDER_LOCK_SECONDS,
    SegmentInUse,
    check_unchanged,
    retire_spill_file,
    unlink_synced,
    writers_excluded,
)
from indexer.store import connection as database
from indexer.store import cursors
from indexer.store.events.table import delete_events_of, has_alternative_ids
from indexer.store.schema.check import has_our_schema
from indexer.store.search.index import remove_segments
from indexer.store.search.tables import has_tables
from indexer.store.sqlite_errors import translated
from indexer.system.base import Base
from indexer.system.callbacks import ShouldStop, never_stop
from indexer.system.file_changes import check_not_held
from telemetry_core.errors import TelemetryError
from telemetry_core.timestamp import format_time


class PrunePlan(NamedTuple):
    """What pruning would delete."""

    files: list[str]
    bytes: int
    events: int
    """Events in these segments; one that a later segment repeats stays."""
    runs_vanishing: int
    runs_losing_events: int
    runs_running: list[str]
    """Of both, the runs that have not ended."""
    skipped: dict[str, str]
    """Segments that are old enough and stay, and why."""


def plan_prune(base: Base, age: timedelta, now: Optional[datetime] = None) -> PrunePlan:
    """Return what would be deleted of days that have been over for `age`.

    The database has just been brought up to date. Raises TelemetryError or OSError.
    """
    now = now or datetime.now(timezone.utc)
    with database.reading(base.database_path) as connection:
        old = _old_segments(connection, list_segments(base.log_directory), age, now)
        files, skipped = _indexed_files(connection, old)
        runs = _runs_of(connection, files) if files else []
    vanishing = sum(run.left == 0 for run in runs)
    return PrunePlan(
        files=[file.name for file in files],
        bytes=sum(file.size for file in files),
        events=sum(run.going for run in runs),
        runs_vanishing=vanishing,
        runs_losing_events=len(runs) - vanishing,
        runs_running=[run.run_id for run in runs if run.status == "running"],
        skipped=skipped,
    )


def _old_segments(
    connection: sqlite3.Connection, segments: list[Segment], age: timedelta, now: datetime
) -> list[Segment]:
    """Return the segments that are over by name, by their last change, and by their events.

    A host whose clock said 1970 names its segment by that day, and may be writing to it now.
    """
    named = [one for one in segments if parse_segment_name(one.path.name).is_over(age, now)]
    limit = now - max(age, timedelta(0))
    newest = _newest_events(connection, named) if named else {}
    return [
        one
        for one in named
        if _modified(one) <= limit.timestamp()
        and newest.get(file_id(one.name), "") <= format_time(limit)
    ]


def _modified(segment: Segment) -> float:
    """Return when a segment was last written to, in seconds since 1970."""
    return os.stat(segment.path).st_mtime


def _newest_events(connection: sqlite3.Connection, segments: list[Segment]) -> dict[int, str]:
    """Return the latest time of an event in each segment, by file id."""
    rows = connection.execute(
        "SELECT file_id, max(timestamp) FROM run_events"
        f" WHERE file_id IN ({_numbers(segments)}) GROUP BY file_id"
    )
    return dict(rows.fetchall())


def prune(
    base: Base,
    names: Collection[str],
    should_stop: ShouldStop = never_stop,
) -> dict[str, str]:
    """Delete the named segments and their rows; return which stay after all, and why.

    Works while a daemon runs, which waits meanwhile. Raises AlreadyRunning if segments are
    being archived, pruned or backed up already, else TelemetryError or OSError.
    """
    if not names:
        return {}
    with base.segments_lease("prune"):
        with base.write_lease(), _writer(base) as connection:
            files, left = _look(connection, base, names)
            if not files or _cut_out(connection, files):
                return {**left, **_delete(files)}
        rebuild(
            base,
            should_stop=should_stop,
            omit=[file.name for file in files],
            when_in_place=lambda: left.update(_delete(files)),
        )
        return left


class _Run(NamedTuple):
    """A run that has events in segments to be deleted."""

    run_id: str
    status: Optional[str]
    going: int
    left: int


@contextmanager
def _writer(base: Base) -> Iterator[sqlite3.Connection]:
    path = base.database_path
    connection = database.open_writer(path, base.config.journal_mode)
    with closing(connection), translated(path):
        if not has_our_schema(connection):
            raise DatabaseUnusable(f"{path} is not a database of this version")
        yield connection


def _look(
    connection: sqlite3.Connection, base: Base, names: Collection[str]
) -> tuple[list[Segment], dict[str, str]]:
    """Index what is new; return the segments that may be deleted, and why others may not."""
    due = OutboxProjection(connection, load_targets(base).targets)
    listeners = [due.update, SearchIndex(connection).update]
    Ingest(connection, base.log_directory, listeners=listeners).run_pass()
    named = [file for file in list_segments(base.log_directory) if file.name in names]
    files, left = _indexed_files(connection, named)
    held = _held_open(files)
    return [file for file in files if file.name not in held], {**left, **held}


def _held_open(files: Iterable[Segment]) -> dict[str, str]:
    """Return the segments that could not be deleted, and why: their rows stay with them."""
    held = {}
    for file in files:
        try:
            check_not_held(file.path, UNDER_LOCK_SECONDS)
        except (TelemetryError, OSError) as error:
            held[file.name] = str(error)
    return held


def _indexed_files(
    connection: sqlite3.Connection, files: Iterable[Segment]
) -> tuple[list[Segment], dict[str, str]]:
    """Return the segments that are fully indexed, and why others are not."""
    known = cursors.all_cursors(connection)
    indexed, skipped = [], {}
    for file in files:
        try:
            _check_indexed(file, known.get(file.name))
            check_unchanged(file, file.size)
            indexed.append(file)
        except (SegmentInUse, OSError) as error:
            skipped[file.name] = str(error)
    return indexed, skipped


def _check_indexed(file: Segment, cursor: Optional[Cursor]) -> None:
    if cursor is not None and cursor.fault is not None:
        raise SegmentInUse(f"{file.name} cannot be read to its end: {cursor.fault}")
    if not is_unchanged(file, cursor):
        raise SegmentInUse(f"{file.name} is not indexed to its end yet")


def _numbers(files: Iterable[Segment]) -> str:
    return ", ".join(str(file_id(file.name)) for file in files)


def _runs_of(connection: sqlite3.Connection, files: list[Segment]) -> list[_Run]:
    rows = connection.execute(
        "SELECT found.run_id, runs.status, going, held - going FROM ("
        f" SELECT run_id, sum(file_id IN ({_numbers(files)})) AS going, count(*) AS held"
        "  FROM run_events GROUP BY run_id HAVING going > 0"
        ") AS found LEFT JOIN agent_runs AS runs ON runs.run_id = found.run_id"
    )
    return [_Run(*row) for row in rows]


def _cut_out(connection: sqlite3.Connection, files: list[Segment]) -> bool:
    """Delete the rows of segments in one transaction; return whether that was possible.

    It is not where another segment may repeat one of their events, or has one under an
    alternative id only because of one of theirs: then the database has to be rebuilt.
    """
    names = [file.name for file in files]
    known = cursors.all_cursors(connection)
    runs = [run.run_id for run in _runs_of(connection, files)]
    repeats = any(known[name].duplicate for name in known.keys() - set(names))
    if repeats or has_alternative_ids(connection, runs):
        return False
    with database.transaction(connection):
        cursors.drop_segments(connection, names)
        if has_tables(connection):
            remove_segments(connection, [file_id(file.name) for file in files])
        delete_events_of(connection, [file_id(file.name) for file in files])
        refold_runs(connection, runs)
    return True


def _delete(files: Iterable[Segment]) -> dict[str, str]:
    """Delete segments; return those that could not be, and why."""
    left = {}
    files = list(files)
    names = names_by_stem(os.listdir(files[0].path.parent)) if files else {}
    for file in files:
        stem = parse_segment_name(file.path.name).stem
        try:
            _delete_one(file, names.setdefault(stem, set()))
        except (TelemetryError, OSError) as error:
            left[file.name] = str(error)
    return left


def _delete_one(file: Segment, names: set[str]) -> None:
    if file.is_compressed:
        check_unchanged(file, file.size)
        unlink_synced(file.path)
        return
    withdrawn = retire_spill_file(file, names)
    with writers_excluded(file.path.parent):
        # Of the same length as when it was indexed, under whichever name.
        check_unchanged(withdrawn, file.size)
        unlink_synced(withdrawn.path)

"""The table `log_files`: the cursor of each segment, and what its lines amounted to.

Called inside the transactions of an ingest pass, and by verify. A cursor only ever points to the
byte after a newline. It does not know what the lines mean.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from indexer.errors import CursorMoved
from indexer.log.cursor import Cursor
from indexer.log.segments import Segment, file_id

NO_FILE = 0
"""The file id of an event whose segment is gone."""

UNPLACED = "unplaced_events"


class Tally(NamedTuple):
    """What some lines of one segment amount to; duplicates are found only later."""

    indexed: int
    indexed_bytes: int
    """... with those of blank lines, which carry nothing."""
    quarantined: int
    quarantined_bytes: int


INDEXED = "indexed"
DUPLICATE = "duplicate"
QUARANTINED = "quarantined"

_COLUMNS = ", ".join(Cursor._fields)
_COUNTS = ("indexed", "indexed_bytes", "quarantined", "quarantined_bytes")
_ADD = (
    f"INSERT OR IGNORE INTO log_files (file_id, {_COLUMNS}, {', '.join(_COUNTS)})"
    f" VALUES ({', '.join('?' * (1 + len(Cursor._fields) + len(_COUNTS)))})"
)
_MOVE = (
    "UPDATE log_files SET device = ?, inode = ?, size = ?, changed = ?, head_length = ?,"
    " head_hash = ?, guard_length = ?, guard_hash = ?, offset = ?, fault = ?, "
    + ", ".join(f"{name} = {name} + ?" for name in _COUNTS)
    + " WHERE name = ? AND offset = ?"
)


def all_cursors(connection: sqlite3.Connection) -> dict[str, Cursor]:
    """Return the cursor of every segment, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM log_files")
    return {row[0]: Cursor(*row) for row in rows}


def advance(
    connection: sqlite3.Connection, before: Optional[Cursor], after: Cursor, tally: Tally
) -> None:
    """Move a segment's cursor and count what was read. Raises CursorMoved.

    `before` is the cursor that the reading began from, None for a segment that has none: if the
    database has another by now, what was read does not follow it.
    """
    counts = (tally.indexed, tally.indexed_bytes, tally.quarantined, tally.quarantined_bytes)
    if before is None:
        changed = connection.execute(_ADD, (file_id(after.name), *after, *counts)).rowcount
    else:
        changed = connection.execute(
            _MOVE, (*after[1:10], after.fault, *counts, after.name, before.offset)
        ).rowcount
    if changed != 1:
        raise CursorMoved(f"the cursor of {after.name} was moved by another process")


def count_as_duplicates(connection: sqlite3.Connection, lines: Iterable[tuple[int, int]]) -> None:
    """Count lines as duplicates that were counted as indexed: file id and length of each."""
    counts: Counter[int] = Counter()
    lengths: Counter[int] = Counter()
    for file, length in lines:
        counts[file] += 1
        lengths[file] += length
    connection.executemany(
        "UPDATE log_files SET indexed = indexed - :lines, indexed_bytes = indexed_bytes - :bytes,"
        " duplicate = duplicate + :lines, duplicate_bytes = duplicate_bytes + :bytes"
        " WHERE file_id = :file",
        [{"file": file, "lines": count, "bytes": lengths[file]} for file, count in counts.items()],
    )


def forget_segments(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Drop segments that are gone or are no longer what they were; their events stay, unplaced.

    Every segment with duplicates is dropped too, to be read again: what it repeats may have been
    counted for a segment that is gone, and now counts for itself. Its events lose their positions
    as well, for without its cursor nobody could say whether it changed meanwhile.
    """
    names = set(names)
    if not names:
        # Nothing went, so nothing was counted for what went.
        return
    repeating = connection.execute("SELECT name FROM log_files WHERE duplicate > 0").fetchall()
    drop_segments(connection, names.union(row[0] for row in repeating))
    changed = connection.execute(
        f"UPDATE run_events SET file_id = {NO_FILE}"
        f" WHERE file_id <> {NO_FILE} AND file_id NOT IN (SELECT file_id FROM log_files)"
    ).rowcount
    add_unplaced_events(connection, changed)


def unplaced_events(connection: sqlite3.Connection) -> int:
    """Return how many events are in the database whose segment is gone."""
    row = connection.execute(f"SELECT value FROM settings WHERE name = '{UNPLACED}'").fetchone()
    return 0 if row is None else int(row[0])


def add_unplaced_events(connection: sqlite3.Connection, change: int) -> None:
    """Count events that lost their segment, or, as a negative number, found one again."""
    if change:
        connection.execute(
            "INSERT INTO settings (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (UNPLACED, change),
        )


def drop_segments(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Delete the cursors of segments, and what was quarantined of them."""
    rows = [(name,) for name in names]
    connection.executemany("DELETE FROM log_files WHERE name = ?", rows)
    connection.executemany("DELETE FROM quarantine WHERE file = ?", rows)


def rename_segments(connection: sqlite3.Connection, moves: Mapping[str, Segment]) -> None:
    """Have everything known of segments follow them to their new names, by old name.

    The cursors don't say that the new files were read to their end: the next reading finds out
    whether they contain what was read of the old ones.
    """
    connection.executemany(
        "UPDATE log_files SET name = ?, file_id = ?, device = ?, inode = ?, size = 0, changed = 0"
        " WHERE name = ?",
        [(new.name, file_id(new.name), new.device, new.inode, old) for old, new in moves.items()],
    )
    connection.executemany(
        "UPDATE quarantine SET file = ? WHERE file = ?",
        [(new.name, old) for old, new in moves.items()],
    )
    # In one statement, for no index leads from a segment to its events.
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS renamed (old INTEGER PRIMARY KEY, new)")
    connection.execute("DELETE FROM temp.renamed")
    connection.executemany(
        "INSERT INTO temp.renamed VALUES (?, ?)",
        [(file_id(old), file_id(new.name)) for old, new in moves.items()],
    )
    connection.execute(
        "UPDATE run_events SET file_id = (SELECT new FROM temp.renamed WHERE old = file_id)"
        " WHERE file_id IN (SELECT old FROM temp.renamed)"
    )

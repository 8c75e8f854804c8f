"""Truncation: every corpus cut at every byte, indexed, completed, and indexed again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer.ingest.ingest import Ingest
from telemetry_core.line import encode
from telemetry_core.shared_log import SharedLog
from tests.laboratory.corpora import ALL, CORPORA
from tests.laboratory.experiment import Bench
from tests.support.database import empty_database, event
from tests.support.oracle import Violation

_COUNTS = "indexed_bytes + duplicate_bytes + quarantined_bytes"
_TABLES = {
    "events": "SELECT * FROM run_events ORDER BY run_id, event_id",
    "runs": "SELECT * FROM agent_runs ORDER BY run_id",
    "quarantine": "SELECT * FROM quarantine ORDER BY file, offset",
    "files": f"SELECT name, offset, fault, indexed, duplicate, quarantined, {_COUNTS}"
    " FROM log_files",
}
"""All that a view says of a log; inodes and times are other ones in each trial."""


def run(bench: Bench) -> dict[str, int]:
    """Cut at every byte of every corpus; return what was done."""
    directory = bench.directory / "raw"
    directory.mkdir()
    figures = {"cuts": 0, "seals": 0}
    for name, make in ALL.items():
        path, whole = directory / name, make()
        path.write_bytes(whole)
        with closing(empty_database()) as connection:
            Ingest(connection, directory).run_pass()
            expected = _found(connection)
        for cut in range(len(whole) + 1):
            _cut(path, whole, cut, expected)
            figures["cuts"] += 1
            bench.on_progress(1)
        path.unlink()
    for make in CORPORA.values():
        figures["seals"] += _seal(directory, make())
        bench.on_progress(figures["seals"])
    return figures


def _cut(path: Path, whole: bytes, cut: int, expected: dict[str, Any]) -> None:
    """Index a file while it has only its first `cut` bytes, and again once it has all."""
    # A new inode for each: the same one may look unchanged to a clock as coarse as the kernel's.
    path.unlink()
    path.write_bytes(whole[:cut])
    with closing(empty_database()) as connection:
        ingest = Ingest(connection, path.parent)
        ingest.run_pass()
        _judge_cut(connection, path, whole, cut)
        with path.open("ab") as file:
            file.write(whole[cut:])
        # Every other time by an indexer that was started again.
        (ingest if cut % 2 else Ingest(connection, path.parent)).run_pass()
        if _found(connection) != expected:
            raise Violation(f"{path.name} cut at {cut} and completed is not what it was")


def _judge_cut(connection: sqlite3.Connection, path: Path, whole: bytes, cut: int) -> None:
    ((offset, counted),) = connection.execute(f"SELECT offset, {_COUNTS} FROM log_files")
    if offset != counted:
        raise Violation(f"{path.name} cut at {cut}: {counted} of {offset} bytes accounted for")
    if path.suffix == ".ndjson" and offset != whole[:cut].rfind(b"\n") + 1:
        raise Violation(f"{path.name} cut at {cut}: read to {offset}")


def _seal(directory: Path, whole: bytes) -> int:
    """Have the writer append behind every cut: the fragment gets a line of its own."""
    path = directory / "events_20260101.ndjson"
    late = encode(event(99, event_type="late", payload="after the cut"))
    log = SharedLog(directory)
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        log.append(late, "20260101", 0.05, sync=False)
        seal = b"" if whole[:cut].endswith(b"\n") or not cut else b"\n"
        if path.read_bytes() != whole[:cut] + seal + late:
            raise Violation(f"the writer's line behind {cut} bytes is not on a line of its own")
    log.forget()
    path.unlink()
    return len(whole) + 1


def _found(connection: sqlite3.Connection) -> dict[str, Any]:
    return {name: connection.execute(sql).fetchall() for name, sql in _TABLES.items()}

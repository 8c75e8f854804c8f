"""Check for leftovers: files that show that something went wrong earlier."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.probe import PROBE_PREFIX
from indexer.doctor.subject import Subject
from indexer.log.names import parse_segment_name
from indexer.log.segments import list_log, list_segments
from indexer.terminal.format import many, size

_NAMES_SHOWN = 3
_SPILL_FILE = re.compile(r"events_(\d{8})\..+-\d+\.ndjson$")


def check(subject: Subject) -> Iterator[Finding]:
    """Look for files that writers, rebuilds and killed commands left behind."""
    base = subject.base
    found = [
        *_spill_files(base.log_directory),
        *_rotated(base.log_directory),
        *_unread(base.log_directory),
        *_remains(
            base.database_path.parent,
            f"{base.database_path.name}.damaged-*",
            "a damaged database that was set aside",
            "delete it once it is no longer of interest",
        ),
        *_remains(
            base.directory,
            f"{PROBE_PREFIX}*",
            "the base directory of an earlier probe that was killed",
            "delete it",
        ),
    ]
    yield from found or [ok("none")]


def _spill_files(directory: Path) -> Iterator[Finding]:
    """Find spill files: events that could not reach the shared segment in time."""
    if not directory.is_dir():
        return
    found = [path for path in directory.iterdir() if _SPILL_FILE.match(path.name)]
    if found:
        today = f"events_{datetime.now(timezone.utc):%Y%m%d}."
        recent = sum(path.name.startswith(today) for path in found)
        yield note(
            f"{many(len(found), 'spill file')} in the log"
            f" ({size(sum(path.stat().st_size for path in found))}), {recent} from today",
            "nothing: they are indexed. If one day has many, something held the log's lock: find"
            f" it with `fuser {directory}/.events.lock`",
        )


def _rotated(directory: Path) -> Iterator[Finding]:
    """Find segments that a log rotator renamed: they are read, but may be deleted next."""
    names = [
        one.name for one in list_segments(directory) if parse_segment_name(one.name).is_rotated
    ]
    if names:
        shown = ", ".join(names[:_NAMES_SHOWN])
        yield warning(
            f"{shown}, segments of the log, were renamed by a log rotator; they are read",
            "exclude the log's directory from logrotate, which deletes what it rotates:"
            " `telemetry archive` and `telemetry prune` take its place",
        )


def _unread(directory: Path) -> Iterator[Finding]:
    """Find files in the log's directory that are not part of the log."""
    for one in list_log(directory).unread:
        yield warning(
            f"{directory / one.name} is not read: {one.reason}",
            "rename it to events_YYYYMMDD.NAME.ndjson if it holds events, else move it away",
        )


def _remains(directory: Path, pattern: str, what: str, todo: str) -> Iterator[Finding]:
    for path in sorted(directory.glob(pattern)):
        yield note(f"{path} is {what}", todo)

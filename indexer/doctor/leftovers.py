"""The check of leftovers: files that tell of trouble there was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from indexer.doctor.finding import Finding, note, ok
from indexer.doctor.probe import PROBE_PREFIX
from indexer.doctor.subject import Subject
from indexer.terminal.format import many, size

_OWN_LOG = re.compile(r"events_(\d{8})\..+-\d+\.ndjson$")


def check(subject: Subject) -> Iterator[Finding]:
    """Look for what writers, rebuilds and killed commands left behind."""
    base = subject.base
    found = [
        *_own_logs(base.log_directory),
        *_remains(
            base.database_path.parent,
            f"{base.database_path.name}.damaged-*",
            "a damaged view that was set aside",
            "delete it once nobody wants to look at it",
        ),
        *_remains(
            base.directory,
            f"{PROBE_PREFIX}*",
            "the base of an examination that was killed",
            "delete it",
        ),
    ]
    yield from found or [ok("none")]


def _own_logs(directory: Path) -> Iterator[Finding]:
    """Find events that could not reach the shared file in time: indexed like all others."""
    if not directory.is_dir():
        return
    own = [path for path in directory.iterdir() if _OWN_LOG.match(path.name)]
    if own:
        today = f"events_{datetime.now(timezone.utc):%Y%m%d}."
        recent = sum(path.name.startswith(today) for path in own)
        yield note(
            f"{many(len(own), 'file')} of single processes in the log"
            f" ({size(sum(path.stat().st_size for path in own))}), {recent} of today",
            "nothing, they are indexed. Many of one day: something held the log's lock; find it"
            f" with `fuser {directory}/.events.lock`",
        )


def _remains(directory: Path, pattern: str, what: str, todo: str) -> Iterator[Finding]:
    for path in sorted(directory.glob(pattern)):
        yield note(f"{path} is {what}", todo)

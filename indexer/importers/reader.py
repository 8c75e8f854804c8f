"""Read what is new in one session file, as lines of events in batches.

Called by the importer, which writes each batch and then moves the cursor behind it. A last line
without its newline is left for the next time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from indexer.importers.cursors import Cursor
from indexer.importers.envelope import Envelope, Parsed, own_time, parse
from indexer.importers.neighbours import NeighbourFiles
from indexer.importers.source import (
    GUARD_BYTES,
    go_to,
    guard_of,
    read_document,
    read_head,
    rewound,
)
from indexer.log.lines import Line, read_lines, text_of_line
from indexer.log.streams import open_stream
from indexer.semantics.sessions.tool import SessionFile, Tool, plain_name

_BATCH_BYTES = 1024 * 1024
_BATCH_EVENTS = 2_000
_SETTLED_SECONDS = 60.0
"""A file without any time that was not written to for this long is not going to get one."""


class Batch(NamedTuple):
    """Lines of events, and the cursor behind the lines that they were made of."""

    lines: bytes
    events: int
    odd: int
    """Lines of the session that are no JSON objects."""
    cursor: Cursor


def read_session(
    tool: Tool, path: Path, known: list[Cursor], envelope: Envelope, state: str
) -> Iterator[Batch]:
    """Yield what is new in a file, given cursors of it or of files that it may be a copy of.

    Raises OSError or TelemetryError.
    """
    start = Cursor(tool.name, str(path), state)
    if tool.is_document(plain_name(path)):
        yield from _read_document(tool, path, start, envelope)
        return
    session = tool.open(plain_name(path), [line.object for line in read_head(path)])
    stream, before = open_stream(path), b""
    try:
        for cursor in known:
            found = go_to(stream, cursor.offset, cursor.guard) if cursor.offset else None
            if found is not None:
                start, before = replace(cursor, path=str(path), state=state), found
                break
            stream = rewound(stream, path)
        yield from _Reading(session, path, start, envelope).read(stream, before)
    finally:
        stream.close()


def _read_document(tool: Tool, path: Path, start: Cursor, envelope: Envelope) -> Iterator[Batch]:
    document = parse(read_document(path))
    if not isinstance(document.value, dict):
        # Being written.
        return
    session = tool.open(plain_name(path), [document.object])
    moment = own_time(session.time(document.object)) or session.fallback_time
    lines = [envelope.line_event(document, session.owner(document.object), 0, moment)]
    facts = session.facts(NeighbourFiles())
    if facts is not None:
        lines.append(envelope.file_event(facts.facts, facts.owner, moment))
    yield Batch(b"".join(lines), len(lines), 0, start)


class _Reading:
    """One reading of one file, from its cursor to its end."""

    def __init__(self, session: SessionFile, path: Path, start: Cursor, envelope: Envelope) -> None:
        self._session = session
        self._path = path
        self._start = start
        self._offset, self._position = start.offset, start.position
        self._time, self._first_time, self._facts = start.time, start.first_time, start.facts
        self._envelope = envelope
        self._lines: list[bytes] = []
        self._size = 0
        self._odd = 0
        self._before = b""
        self._at_cursor = b""
        self._waiting: list[tuple[Parsed, int]] = []
        """Lines before the first that has a time."""

    def read(self, stream: BinaryIO, before: bytes) -> Iterator[Batch]:
        """Yield batches to the end of the stream, which stands where the cursor does."""
        position, line = self._position, None
        self._before = self._at_cursor = before
        for line in read_lines(stream, self._offset):
            self._before = (self._before + line.content + b"\n")[-GUARD_BYTES:]
            self._take(line, position)
            position += 1
            if not self._waiting:
                self._move(line, position)
                if self._size >= _BATCH_BYTES or len(self._lines) >= _BATCH_EVENTS:
                    yield self._batch("")
        if line is not None and self._waiting and self._is_settled():
            self._set_time(self._session.fallback_time)
            self._move(line, position)
        self._add_facts()
        # With what waits still for a time, it has to be looked at again.
        yield self._batch("" if self._waiting else self._start.state)

    def _take(self, line: Line, position: int) -> None:
        raw = text_of_line(line.content)
        if not raw.strip():
            return
        parsed = Parsed(raw, None) if line.too_long else parse(raw)
        self._odd += not isinstance(parsed.value, dict)
        moment = own_time(self._session.time(parsed.object))
        if moment is not None:
            self._set_time(moment)
        elif self._time is None:
            self._waiting.append((parsed, position))
            return
        self._add(parsed, position)

    def _set_time(self, moment: str) -> None:
        """From here on lines without a time have this one, and so have those before the first."""
        self._time, self._first_time = moment, self._first_time or moment
        waiting, self._waiting = self._waiting, []
        for parsed, position in waiting:
            self._add(parsed, position)

    def _add(self, parsed: Parsed, position: int) -> None:
        owner = self._session.owner(parsed.object)
        moment = self._time or self._session.fallback_time
        event = self._envelope.line_event(parsed, owner, position, moment, self._session.part)
        self._lines.append(event)
        self._size += len(event)

    def _move(self, line: Line, position: int) -> None:
        """Let the cursor stand behind a line."""
        self._at_cursor = self._before
        self._offset, self._position = line.end, position

    def _is_settled(self) -> bool:
        return time.time() - self._path.stat().st_mtime > _SETTLED_SECONDS

    def _add_facts(self) -> None:
        """Say what the file says of its run, unless that was said before."""
        facts = self._session.facts(NeighbourFiles())
        if facts is None or self._first_time is None:
            return
        event = self._envelope.file_event(facts.facts, facts.owner, self._first_time)
        said = guard_of(event)
        if said != self._facts:
            self._lines.append(event)
            self._facts = said

    def _batch(self, state: str) -> Batch:
        """Return what was read, and the cursor behind it.

        Until all of the file is imported the cursor has the state of no file.
        """
        cursor = replace(
            self._start,
            state=state,
            offset=self._offset,
            position=self._position,
            time=self._time,
            first_time=self._first_time,
            guard=guard_of(self._at_cursor),
            facts=self._facts,
        )
        batch = Batch(b"".join(self._lines), len(self._lines), self._odd, cursor)
        self._lines, self._size, self._odd = [], 0, 0
        return batch

"""Import the session files of coding agents, round after round.

Called by `telemetry import` and by the daemon. A batch of lines is in the log before the cursor
moves behind it: killed in between, it is imported a second time, which adds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from indexer.importers.content import without_content
from indexer.importers.cursors import CursorFile
from indexer.importers.envelope import Envelope
from indexer.importers.folders import Folders, Found, look_at
from indexer.importers.reader import read_session
from indexer.semantics.sessions.tool import Tool, plain_name
from indexer.system.base import Base
from telemetry_core.clock import CLOCK
from telemetry_core.errors import TelemetryError
from telemetry_core.process import host_name
from telemetry_core.redaction import redactor_of
from telemetry_core.writers import writer_for

FULL, NONE = "full", "none"
"""What becomes of texts: they stay, or their sizes take their place."""

_LOCK_SECONDS = 5.0


class LogNotWritable(TelemetryError):
    """Imported lines did not reach the log."""

    hint = "Nothing is lost: import again when the log can be written to"


class Wanted(NamedTuple):
    """What to import."""

    tools: Sequence[Tool]
    paths: Sequence[Path] = ()
    """Files and directories; none for the places where the tools keep their sessions."""
    content: str = FULL
    since: Optional[float] = None
    """Seconds since 1970: files not written to since then are left alone."""


@dataclass
class Imported:
    """What one round did."""

    found: int = 0
    """Session files that were looked at."""
    files: int = 0
    """Session files that had something new."""
    events: int = 0
    odd_lines: int = 0
    """Lines that are no JSON objects; they are kept as texts."""
    bytes: int = 0
    """Written to the log."""
    problems: list[str] = field(default_factory=list)


class Importer:
    """Imports session files into the log of one base."""

    def __init__(self, base: Base, wanted: Wanted, patience: float = 60.0) -> None:
        """Import what is wanted; wait so many seconds for somebody who is importing already."""
        self._base = base
        self._patience = patience
        self._wanted = wanted
        self._cursors = CursorFile(base.import_cursors_path)
        self._folders = Folders()
        self._writer = writer_for(base.log_directory, host_name())
        redactor = redactor_of(os.environ)
        self._redact: Callable[[bytes], bytes] = redactor or _unchanged

    def candidates(self) -> Iterator[tuple[Tool, str]]:
        """Yield every session file, whether or not there is anything new in it."""
        is_sure = len(self._wanted.tools) == 1
        for tool in self._wanted.tools:
            seen: set[str] = set()
            for place in self._wanted.paths or tool.roots(os.environ, _home()):
                for path in self._sessions_at(tool, place, is_sure):
                    if path not in seen:
                        seen.add(path)
                        yield tool, path

    def _sessions_at(self, tool: Tool, place: Path, is_sure: bool) -> Iterator[str]:
        """Yield the sessions of a directory, or a file: that is a session if it is sure whose."""
        if place.is_dir():
            yield from self._folders.sessions(tool, str(place))
        elif place.is_file() and (is_sure or tool.is_session(plain_name(place))):
            yield str(place)

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Imported:
        """Import all that is new. Raises AlreadyRunning, LogNotWritable or OSError."""
        return self.import_files(self.candidates(), should_stop)

    def import_files(
        self,
        files: Iterator[tuple[Tool, str]],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Imported:
        """Import what is new in some files, until that is done or `should_stop` says so."""
        done = Imported()
        with self._base.import_lease("import", self._patience):
            self._cursors.load()
            for tool, path in files:
                if should_stop():
                    break
                done.found += 1
                try:
                    self._import(look_at(tool, path), done, should_stop)
                except FileNotFoundError:
                    # Moved or deleted since the directory was read.
                    continue
                except LogNotWritable:
                    raise
                except (TelemetryError, OSError) as error:
                    done.problems.append(f"{path}: {error}")
        return done

    def _import(self, found: Found, done: Imported, should_stop: Callable[[], bool]) -> None:
        tool = found.tool
        known = self._cursors.at(tool.name, found.path)
        if known is not None and known.state == found.state:
            return
        if self._wanted.since is not None and found.changed < self._wanted.since:
            return
        path = Path(found.path)
        namesakes = self._cursors.of_namesakes(tool.name, plain_name(path).name)
        cursors = [*([known] if known else []), *(one for one in namesakes if one != known)]
        events = 0
        for batch in read_session(tool, path, cursors, self._envelope(tool), found.state):
            self._write(batch.lines, batch.events)
            events += batch.events
            done.events += batch.events
            done.odd_lines += batch.odd
            done.bytes += len(batch.lines)
            self._cursors.save(batch.cursor)
            if should_stop():
                break
        done.files += bool(events)

    def _envelope(self, tool: Tool) -> Envelope:
        replaced = without_content if self._wanted.content == NONE else None
        return Envelope(tool.event_type, self._redact, replaced)

    def _write(self, lines: bytes, events: int) -> None:
        if not events:
            return
        day = CLOCK.tick().day
        sync = self._base.config.durability == "fsync"
        if not self._writer.write(lines, day, events, sync, _LOCK_SECONDS):
            stats = self._writer.stats()
            raise LogNotWritable(f"{self._base.log_directory}: {stats['last_write_error']}")


def _unchanged(lines: bytes) -> bytes:
    return lines


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # No HOME, and no such user: there are no sessions either.
        return Path("/nonexistent")

"""Remember how far each session file has been imported.

Called by the importer, which holds the import lease. A file of one JSON line a change; whatever of
it is lost or broken costs nothing but lines that are imported a second time, as duplicates.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

import orjson

from indexer.system.atomic_file import write_atomically
from telemetry_core.storage import make_directory

_Stamp = tuple[int, int]
_WASTE = 4
"""The file is rewritten when it has this many lines for each session file."""


@dataclass(frozen=True)
class Cursor:
    """What is known of one session file."""

    tool: str
    path: str
    state: str
    """Equal while neither the file nor its sidecar has changed."""
    offset: int = 0
    """Plain bytes that are imported."""
    position: int = 0
    """Lines that are imported."""
    time: Optional[str] = None
    """Of the last line that had one."""
    first_time: Optional[str] = None
    guard: str = ""
    """A fingerprint of the bytes before `offset`."""
    facts: str = ""
    """A fingerprint of what was said last of the file itself."""

    @property
    def name(self) -> str:
        """The file's own name, which it keeps when it is moved or compressed."""
        name = os.path.basename(self.path)
        return name.removesuffix(".zst")


class CursorFile:
    """The cursors of one base, in memory and on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, str], Cursor] = {}
        self._by_name: dict[tuple[str, str], set[str]] = {}
        self._lines = 0
        self._seen: Optional[_Stamp] = None

    def load(self) -> None:
        """Read the file, if anybody else has written to it. Raises OSError."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._known, self._by_name, self._lines = {}, {}, 0
        self._seen = stamp
        if stamp is None:
            return
        with open(self._path, "rb") as file:
            for line in file:
                self._lines += 1
                cursor = _cursor_of(line)
                if cursor is not None:
                    self._remember(cursor)

    def at(self, tool: str, path: str) -> Optional[Cursor]:
        """Return the cursor of a file, None for one that is new."""
        return self._known.get((tool, path))

    def of_namesakes(self, tool: str, name: str) -> list[Cursor]:
        """Return the cursors of files of this name, the furthest first."""
        found = [self._known[tool, path] for path in self._by_name.get((tool, name), ())]
        return sorted(found, key=lambda cursor: -cursor.offset)

    def save(self, cursor: Cursor) -> None:
        """Remember a cursor. Raises OSError."""
        self._remember(cursor)
        if self._lines > _WASTE * len(self._known) + 100:
            self._rewrite()
        else:
            self._append(cursor)
        self._seen = self._stamp()

    def _remember(self, cursor: Cursor) -> None:
        self._known[cursor.tool, cursor.path] = cursor
        self._by_name.setdefault((cursor.tool, cursor.name), set()).add(cursor.path)

    def _append(self, cursor: Cursor) -> None:
        make_directory(self._path.parent)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        fd = os.open(self._path, flags, 0o600)
        try:
            # After a line that was cut short by a full disk, this one is read all the same.
            os.write(fd, b"\n" + orjson.dumps(asdict(cursor)) + b"\n")
        finally:
            os.close(fd)
        self._lines += 2

    def _rewrite(self) -> None:
        lines = [orjson.dumps(asdict(cursor)) + b"\n" for cursor in self._known.values()]
        write_atomically(self._path, b"".join(lines), durable=False)
        self._lines = len(lines)

    def _stamp(self) -> Optional[_Stamp]:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size


def _cursor_of(line: bytes) -> Optional[Cursor]:
    try:
        value: Any = orjson.loads(line)
        return Cursor(**value)
    except (orjson.JSONDecodeError, TypeError):
        return None

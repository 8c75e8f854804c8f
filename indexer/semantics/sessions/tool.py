"""Define what an importer has to know about one coding agent's session files.

Implemented once per agent, in `tools/`. Pure: the importer finds and reads the files, the fold
brings the lines back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from indexer.semantics.facts import Translation
from indexer.semantics.sessions.entry import Entry
from indexer.semantics.sessions.line import SessionLine

PACKED = ".zst"
EPOCH = "1970-01-01T00:00:00.000000Z"


class Owner(NamedTuple):
    """The run that a line belongs to."""

    run_id: str
    session_id: str = ""
    agent_id: Optional[str] = None
    """Of a subagent's line."""


class FileFacts(NamedTuple):
    """What a file's path and its sidecar say about a run, and its lines do not."""

    owner: Owner
    facts: dict[str, Any]


class Neighbours(ABC):
    """Reads what lies next to a session file. What cannot be read says nothing."""

    @abstractmethod
    def object(self, path: Path) -> Mapping[str, Any]:
        """Return the JSON object that a small file is; an empty one if it is none."""

    @abstractmethod
    def files(self, folder: Path, pattern: str) -> list[Path]:
        """Return the session files of a name below a folder, in order, as if none was packed."""

    @abstractmethod
    def lines_with(self, path: Path, text: str) -> Iterator[Mapping[str, Any]]:
        """Yield the lines of a session file that are JSON objects and contain a text."""


class SessionFile(ABC):
    """One session file, opened: its first lines are known."""

    part = ""
    """Sorts the files of one session, where it has several."""
    fallback_time = EPOCH
    """The time of lines in a file that has no times at all."""

    @abstractmethod
    def owner(self, line: Mapping[str, Any]) -> Owner:
        """Return the run of a line; of one that is no object, the line is empty."""

    @abstractmethod
    def time(self, line: Mapping[str, Any]) -> Any:
        """Return the line's own time as it gives it; anything that is no time for none."""

    def facts(self, neighbours: Neighbours) -> Optional[FileFacts]:
        """Return what the lines do not say; None for nothing."""
        del neighbours
        return None


class Tool(ABC):
    """One coding agent."""

    name: str
    """As in `telemetry import NAME`, and in the type of its events, `session.NAME`."""

    @property
    def event_type(self) -> str:
        """The type of the events that hold its lines."""
        return f"session.{self.name}"

    @abstractmethod
    def roots(self, environ: Mapping[str, str], home: Path) -> list[Path]:
        """Return the directories where it keeps its sessions; they need not exist."""

    @abstractmethod
    def is_session(self, path: Path) -> bool:
        """Whether a file below one of the roots, or a copy of it, is a session, by its path.

        The suffix `.zst` of a compressed file is not on it.
        """

    def sidecar(self, path: str) -> Optional[str]:
        """Return the file that says more about a session's, and may change without it.

        Asked of every file at every look, by its path as it is, compressed or not.
        """
        del path
        return None

    def is_document(self, path: Path) -> bool:
        """Whether a file is one JSON document, rather than a line for each step."""
        del path
        return False

    def kind_of(self, line: Mapping[str, Any]) -> str:
        """Return what a line says it is, for people."""
        return str(line.get("type") or "no type")

    @abstractmethod
    def knows(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is of a kind that this version has seen: others are kept, and no spans."""

    @abstractmethod
    def translate(self, lines: list[SessionLine]) -> Translation:
        """Return the spans of one run, and what its lines say of the run; in any order."""

    @abstractmethod
    def entries(self, lines: list[SessionLine]) -> Iterator[Optional[Entry]]:
        """Yield what was said and done, in order; None for what says nothing."""

    @abstractmethod
    def is_turn(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is what a person said."""

    @abstractmethod
    def open(self, path: Path, head: Sequence[Mapping[str, Any]]) -> SessionFile:
        """Return a session file whose first lines are `head`, or which is this one document.

        A line that is no object is an empty one.
        """


def plain_name(path: Path) -> Path:
    """Return a path without the suffix of a compressed file."""
    return path.with_name(path.name[: -len(PACKED)]) if path.name.endswith(PACKED) else path


def folder_after(path: Path, name: str) -> Optional[str]:
    """Return the folder below the last one called `name` in a path, None if there is none."""
    parts = path.parts[:-1]
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == name:
            return parts[index + 1]
    return None

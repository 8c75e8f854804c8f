"""One line of a coding agent's session file, as its event carries it.

The envelope is the importer's; what the line itself says is for the translator of its tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

import orjson

from indexer.semantics.values import iso_time, mapping, text


@dataclass(frozen=True)
class SessionLine:
    """A line with its place in the file, or what the file says of the run in place of a line."""

    event_id: str
    session_id: str
    agent_id: Optional[str]
    line: Mapping[str, Any] = field(default_factory=dict)
    """Empty for what is no JSON object."""
    file: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the path and of its sidecar files: project, parent_session_id, sidecar."""
    place: tuple[str, int, str] = ("", 0, "")
    """Where it stands: the part of the session, the line's own number or 0, the position."""

    @property
    def time(self) -> Optional[str]:
        """The time that the line itself gives."""
        return iso_time(self.line.get("timestamp"))


def read_line(event_id: str, data: Mapping[str, Any]) -> SessionLine:
    """Return the line of a `session.*` event's data; absent and mistyped fields are empty."""
    line = _object(data.get("line"))
    ordinal = line.get("ordinal")
    return SessionLine(
        event_id,
        text(data.get("session_id")) or "",
        text(data.get("agent_id")),
        line,
        mapping(data.get("file")),
        (
            text(data.get("part")) or "",
            ordinal if type(ordinal) is int else 0,
            text(data.get("position")) or "",
        ),
    )


def _object(line: Any) -> dict[str, Any]:
    """A line that could not be put into the event as the object it is stands there as text."""
    if isinstance(line, str):
        try:
            line = orjson.loads(line)
        except orjson.JSONDecodeError:
            return {}
    return mapping(line)


def merged_file_facts(lines: list[SessionLine]) -> dict[str, Any]:
    """Return what the files of a run say of it, whichever of its events says it."""
    merged: dict[str, Any] = {}
    for one in sorted(lines, key=lambda line: line.event_id):
        merged.update({name: value for name, value in one.file.items() if value is not None})
    return merged


def span_of_times(times: list[Optional[str]]) -> tuple[Optional[str], Optional[str]]:
    """Return the first and the last of some times; None where there is none."""
    known = [one for one in times if one is not None]
    return (min(known), max(known)) if known else (None, None)

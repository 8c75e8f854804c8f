"""Read what lies next to a session file, for a tool whose lines do not say everything.

Called by the tools, which open no file themselves. What cannot be read says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.importers.envelope import parse
from indexer.importers.source import opened
from indexer.log.lines import read_lines, text_of_line
from indexer.semantics.sessions.tool import PACKED, Neighbours, plain_name
from telemetry_core.errors import TelemetryError

_MOST_BYTES = 1024 * 1024


class NeighbourFiles(Neighbours):
    """The files around a session file, plain or compressed."""

    def object(self, path: Path) -> Mapping[str, Any]:
        """Return the JSON object that a small file is; an empty one if it is none."""
        try:
            with open(path, "rb") as file:
                return parse(file.read(_MOST_BYTES)).object
        except OSError:
            return {}

    def files(self, folder: Path, pattern: str) -> list[Path]:
        """Return the session files of a name below a folder, in order, as if none was packed."""
        found = (*folder.rglob(pattern), *folder.rglob(pattern + PACKED))
        return sorted({plain_name(path) for path in found})

    def lines_with(self, path: Path, text: str) -> Iterator[Mapping[str, Any]]:
        """Yield the lines of a session file that are JSON objects and contain a text."""
        wanted = text.encode()
        try:
            with opened(_present(path)) as stream:
                for line in read_lines(stream, 0):
                    if wanted in line.content:
                        yield parse(text_of_line(line.content)).object
        except (OSError, TelemetryError):
            return


def _present(path: Path) -> Path:
    return path if path.exists() else path.with_name(path.name + PACKED)

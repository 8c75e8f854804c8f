"""Write JSON, one array with an object per line.

Called through formats.py. JSON columns are values, nested as they are. Without its last line,
which is written when all rows are there, it is no JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from indexer.export.as_ndjson import objects
from indexer.export.formats import Format
from indexer.export.rows import Column, Row


class JsonFormat(Format):
    """Writes a JSON array."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns
        self._before = b"\n"
        file.write(b"[")

    def write(self, rows: Sequence[Row]) -> None:
        """Write an object for each row."""
        self._file.write(self._before + b",\n".join(objects(self._columns, rows)))
        self._before = b",\n"

    def finish(self) -> str:
        """Close the array."""
        self._file.write(b"\n]\n")
        return ""

"""Write NDJSON, one object per line.

Called through formats.py. JSON columns are values, nested as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from indexer.export.formats import Format
from indexer.export.rows import Column, Row


class NdjsonFormat(Format):
    """Writes NDJSON."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns

    def write(self, rows: Sequence[Row]) -> None:
        """Write a line for each row."""
        self._file.write(b"".join(text + b"\n" for text in objects(self._columns, rows)))


def objects(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[bytes]:
    """Yield each row as a JSON object on one line."""
    for row in rows:
        value = {
            column.name: _nested(cell) if column.kind == "json" else cell
            for column, cell in zip(columns, row)
        }
        yield orjson.dumps(value)


def _nested(text: Any) -> Any:
    """Return what a JSON column holds, to be written as it is; a text that is none stays text."""
    try:
        orjson.loads(text)
    except ValueError:
        return text
    # Not parsed and written again: that would round a number that is too long for a float. A
    # line end stands between its parts only, for in its strings it is spelled out.
    return orjson.Fragment(text.replace("\n", " ").replace("\r", " "))

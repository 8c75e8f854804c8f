"""Write CSV, a line of names and then a line per row, for spreadsheets and everything else.

Called through formats.py. UTF-8 without a byte order mark: it would become part of the first
column's name for every other reader. JSON columns are text. What a spreadsheet would run is
defused; csv_text.py says how, and how it is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from indexer.export.csv_text import csv_line, defused
from indexer.export.formats import Format
from indexer.export.rows import Column, Row


class CsvFormat(Format):
    """Writes CSV."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        file.write(csv_line(column.name for column in columns).encode())

    def write(self, rows: Sequence[Row]) -> None:
        """Write a line for each row."""
        lines = [csv_line([defused(value) for value in row]) for row in rows]
        self._file.write("".join(lines).encode())

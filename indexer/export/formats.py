"""Define the interface of an export format, and list all formats.

Used by `telemetry export`. A new format is one file with one class, named in the table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Callable, Optional

from indexer.export.rows import Column, Row, Rows

_CLASSES = {
    "csv": "indexer.export.as_csv:CsvFormat",
    "json": "indexer.export.as_json:JsonFormat",
    "ndjson": "indexer.export.as_ndjson:NdjsonFormat",
    "parquet": "indexer.export.as_parquet:ParquetFormat",
}
FORMATS = tuple(_CLASSES)
"""The names of all formats; a file's suffix is the same name."""


class Format(ABC):
    """One way to write rows to a file. The file is complete only after `finish`."""

    is_text = True
    """Whether a person could read it at a terminal."""

    @abstractmethod
    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        """Begin the file; the caller closes it."""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""

    def finish(self) -> str:
        """Write the end of the file; return a warning about the rows, or nothing."""
        return ""


def find_format(name: str) -> type[Format]:
    """Return a format by its name. Raises TelemetryError if a library it needs is missing."""
    module, _, attribute = _CLASSES[name].partition(":")
    # Imported only here: one of them needs a library that few have.
    found: type[Format] = getattr(import_module(module), attribute)
    return found


def format_of(path: Path) -> Optional[str]:
    """Return the format of a file's suffix: CSV without one, None for one that is not known."""
    suffix = path.suffix.lower().lstrip(".")
    if not suffix:
        return "csv"
    return suffix if suffix in _CLASSES else None


def write_rows(
    form: type[Format], file: BinaryIO, rows: Rows, on_progress: Callable[[int], None]
) -> tuple[int, str]:
    """Write all rows to a file; return their number, and a warning or nothing."""
    number = 0
    writer = form(file, rows.columns)
    for chunk in rows.chunks():
        writer.write(chunk)
        number += len(chunk)
        on_progress(len(chunk))
    return number, writer.finish()

"""Write Parquet, with typed columns, for pandas, DuckDB, Spark and the like.

Used through formats.py. The types follow from the columns and never from the rows: times are
microseconds in UTC, numbers that agents record are doubles, JSON columns are text. It needs
pyarrow, which nothing else here does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO, Callable, Optional

from indexer.export.formats import Format
from indexer.export.rows import Column, Row
from telemetry_core.errors import TelemetryError
from telemetry_core.timestamp import parse_time


class MissingLibrary(TelemetryError):
    """A library that only this format needs is not installed."""

    hint = 'Install it with: pip install "pyarrow>=14.0.1"'


try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise MissingLibrary(f"Parquet needs pyarrow, which can't be imported: {error}") from error

_GROUP_ROWS = 50_000
_GROUP_BYTES = 64 * 1024 * 1024


class ParquetFormat(Format):
    """Writes Parquet, a row group at a time."""

    is_text = False

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns])
        self._writer = pq.ParquetWriter(file, self._schema)
        self._batches: list[Any] = []
        self._misfits: Counter[str] = Counter()

    def write(self, rows: Sequence[Row]) -> None:
        """Keep some rows, and write a row group if they are enough."""
        arrays = [
            pa.array([self._fitting(column, value) for value in cells], _TYPES[column.kind])
            for column, cells in zip(self._columns, zip(*rows))
        ]
        self._batches.append(pa.record_batch(arrays, schema=self._schema))
        group = pa.Table.from_batches(self._batches, self._schema)
        if group.num_rows >= _GROUP_ROWS or group.nbytes >= _GROUP_BYTES:
            self._write_group()

    def finish(self) -> str:
        """Write the last row group and the footer; return a warning on what did not fit."""
        if self._batches:
            self._write_group()
        self._writer.close()
        misfits = ", ".join(f"{number} of {name}" for name, number in self._misfits.items())
        return misfits and f"values that are not a number or time became null: {misfits}"

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._batches, self._schema))
        self._batches = []

    def _fitting(self, column: Column, value: Any) -> Any:
        """Return a value as its column's type; one that can't be converted is counted, and None."""
        fitted = None if value is None else _FIT[column.kind](value)
        if fitted is None and value is not None:
            self._misfits[column.name] += 1
        return fitted


def _time(value: Any) -> Optional[datetime]:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) else None


def _integer(value: Any) -> Optional[int]:
    return value if isinstance(value, int) else None


_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "time": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
_FIT: dict[str, Callable[[Any], Any]] = {
    "text": str,
    "integer": _integer,
    "number": _number,
    "time": _time,
    "json": str,
}

"""Rows in ClickHouse's plainest spelling, value by value: what sent columns have to mean."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import date
from typing import Any, Callable

from indexer.fleet.schema.tables import Table
from indexer.fleet.wire.native import Row

_EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""


def encode_rows(table: Table, rows: Iterable[Row]) -> bytes:
    """Return rows of a table as they are sent."""
    return b"".join(
        _ENCODERS[column.type](value) for row in rows for column, value in zip(table.sent, row)
    )


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    parts = bytearray()
    while size >= 0x80:
        parts.append(size & 0x7F | 0x80)
        size >>= 7
    parts.append(size)
    return bytes(parts)


def _text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return _length(len(data)) + data


def _texts(values: Iterable[str]) -> bytes:
    encoded = [_text(value) for value in values]
    return _length(len(encoded)) + b"".join(encoded)


def _nullable(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: b"\x01" if value is None else b"\x00" + encode(value)


def _day(value: date) -> bytes:
    """A date as days since 1970, which is all that the type holds."""
    return struct.pack("<H", min(max(value.toordinal() - _EPOCH_ORDINAL, 0), 0xFFFF))


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "String": _text,
    "LowCardinality(String)": _text,
    "Nullable(String)": _nullable(_text),
    "UInt8": struct.Struct("<B").pack,
    "UInt32": struct.Struct("<I").pack,
    "UInt64": struct.Struct("<Q").pack,
    "Int64": struct.Struct("<q").pack,
    "Float64": struct.Struct("<d").pack,
    "Nullable(Float64)": _nullable(struct.Struct("<d").pack),
    "Date": _day,
    "Array(String)": _texts,
}

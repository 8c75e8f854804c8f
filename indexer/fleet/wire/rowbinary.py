"""Encode rows for `FORMAT RowBinary`: lengths and bytes, nothing escaped, nothing to parse. Pure.

Any bytes may be in a text, so no value can make a whole batch unreadable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any, Callable

from indexer.fleet.schema.tables import Table

Row = tuple[Any, ...]
"""The values of a table's sent columns, in order."""

_EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""


def encode_rows(table: Table, rows: Iterable[Row]) -> bytes:
    """Return rows of a table as they are sent."""
    # Column by column: of many rows that is a third quicker than value by value.
    encoders = (_ENCODERS[column.type] for column in table.sent)
    columns = [map(encode, values) for encode, values in zip(encoders, zip(*rows))]
    return b"".join(chain.from_iterable(zip(*columns)))


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    parts = bytearray()
    while size >= 0x80:
        parts.append(size & 0x7F | 0x80)
        size >>= 7
    parts.append(size)
    return bytes(parts)


_LENGTHS = [_length(size) for size in range(1 << 12)]
"""The lengths that nearly all texts have."""


def _text(value: str | bytes) -> bytes:
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    size = len(data)
    return (_LENGTHS[size] if size < len(_LENGTHS) else _length(size)) + data


# Of few values and of many rows: names of nodes, segments and types.
_name = lru_cache(maxsize=1024)(_text)


def _texts(values: Iterable[str]) -> bytes:
    encoded = [_text(value) for value in values]
    return _length(len(encoded)) + b"".join(encoded)


def _nullable(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: b"\x01" if value is None else b"\x00" + encode(value)


@lru_cache(maxsize=64)
def _day(value: date) -> bytes:
    """A date as days since 1970, which is all that the type holds."""
    return struct.pack("<H", min(max(value.toordinal() - _EPOCH_ORDINAL, 0), 0xFFFF))


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "String": _text,
    "LowCardinality(String)": _name,
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

"""Encode rows for `FORMAT Native`: by columns, lengths and bytes, nothing escaped. Pure.

Any bytes may be in a text, so no value can make a whole batch unreadable. Column by column is what
costs a host least: each is made by few calls, however many rows there are, and what repeats lies
together where it is squeezed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, Callable, cast

from indexer.fleet.schema.tables import Table

Row = tuple[Any, ...]
"""The values of a table's sent columns, in order."""

Columns = Sequence[Sequence[Any]]
"""For each of a table's sent columns, in order, its values of all rows; all of one length."""

_EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`."""
_DICTIONARIES_INSIDE = 1
_OWN_KEYS = 0x600
"""A dictionary comes with the values, and is of these alone."""


def columns_of(rows: Iterable[Row]) -> Columns:
    """Return rows by columns; of no rows, no columns."""
    return list(zip(*rows))


def encode_columns(table: Table, columns: Columns) -> bytes:
    """Return rows of a table, one at least, as they are sent."""
    parts = [_length(len(table.sent)), _length(len(columns[0]))]
    for column, values in zip(table.sent, columns):
        parts += (_head(column.name, column.type), _ENCODERS[column.type](values))
    return b"".join(parts)


@lru_cache(maxsize=128)
def _head(name: str, kind: str) -> bytes:
    return _texts((name, kind))


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
_LENGTHS_AS_TEXT = [length.decode("latin-1") for length in _LENGTHS]


def _texts(values: Sequence[str]) -> bytes:
    sizes = list(map(len, values))
    if len(set(sizes)) == 1 and sizes[0] < 0x80:
        # As of ids, hashes and times: what lies between them is always the same.
        length = chr(sizes[0])
        joined = length + length.join(values)
        if joined.isascii():
            return joined.encode()
    if max(sizes, default=0) < len(_LENGTHS) and all(map(str.isascii, values)):
        # One encoding of all of them, where each character is one byte.
        lengths = map(_LENGTHS_AS_TEXT.__getitem__, sizes)
        return "".join(chain.from_iterable(zip(lengths, values))).encode("latin-1")
    return _bytes([one.encode("utf-8", "surrogatepass") for one in values])


def _texts_or_bytes(values: Sequence[str] | Sequence[bytes]) -> bytes:
    """All of the values are texts, or all are bytes."""
    if values and isinstance(values[0], bytes):
        return _bytes(cast("Sequence[bytes]", values))
    return _texts(cast("Sequence[str]", values))


def _bytes(values: Sequence[bytes]) -> bytes:
    sizes = list(map(len, values))
    is_usual = max(sizes, default=0) < len(_LENGTHS)
    lengths = map(_LENGTHS.__getitem__ if is_usual else _length, sizes)
    return b"".join(chain.from_iterable(zip(lengths, values)))


def _names(values: Sequence[str]) -> bytes:
    """Few values of many rows: each once, and its number for each row."""
    of_all = values[:1] if _is_one(values) else dict.fromkeys(values)
    numbers = {value: number for number, value in enumerate(of_all)}
    width = 0 if len(numbers) <= 1 << 8 else 1 if len(numbers) <= 1 << 16 else 2
    head = struct.pack("<QQQ", _DICTIONARIES_INSIDE, _OWN_KEYS | width, len(numbers))
    if len(numbers) == 1:
        rows = bytes(len(values))
    else:
        rows = struct.pack(f"<{len(values)}{'BHI'[width]}", *map(numbers.__getitem__, values))
    return b"".join((head, _texts(list(numbers)), struct.pack("<Q", len(values)), rows))


def _is_one(values: Sequence[Any]) -> bool:
    """Whether all rows have the same, as what is said of a segment."""
    return values.count(values[0]) == len(values)


def _lists(values: Sequence[Sequence[str]]) -> bytes:
    return _numbers("Q")(list(accumulate(map(len, values)))) + _texts(
        list(chain.from_iterable(values))
    )


def _nullable(encode: Callable[[Sequence[Any]], bytes], empty: Any) -> Callable[[Any], bytes]:
    def encoded(values: Sequence[Any]) -> bytes:
        if None not in values:
            return bytes(len(values)) + encode(values)
        given = [empty if value is None else value for value in values]
        return bytes([value is None for value in values]) + encode(given)

    return encoded


def _numbers(kind: str) -> Callable[[Sequence[Any]], bytes]:
    return lambda values: struct.pack(f"<{len(values)}{kind}", *values)


def _whole_numbers(kind: str) -> Callable[[Sequence[Any]], bytes]:
    one, many = struct.Struct(f"<{kind}"), _numbers(kind)
    return lambda values: one.pack(values[0]) * len(values) if _is_one(values) else many(values)


def _days(values: Sequence[date]) -> bytes:
    """Dates as days since 1970, which is all that the type holds."""
    if _is_one(values):
        return _day(values[0]) * len(values)
    return b"".join(map(_day, values))


@lru_cache(maxsize=64)
def _day(value: date) -> bytes:
    return struct.pack("<H", min(max(value.toordinal() - _EPOCH_ORDINAL, 0), 0xFFFF))


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "String": _texts_or_bytes,
    "LowCardinality(String)": _names,
    "Nullable(String)": _nullable(_texts, ""),
    "UInt8": _numbers("B"),
    "UInt32": _numbers("I"),
    "UInt64": _whole_numbers("Q"),
    "Int64": _whole_numbers("q"),
    "Float64": _numbers("d"),
    "Nullable(Float64)": _nullable(_numbers("d"), 0.0),
    "Date": _days,
    "Array(String)": _lists,
}

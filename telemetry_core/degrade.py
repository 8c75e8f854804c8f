"""Degrading: values that JSON cannot hold, written as well as they can be.

Called by the codec, and only for what is not plain JSON already. Nothing here raises: a value
that defies even `repr` becomes a text that says so.
"""

from __future__ import annotations

import binascii
import dataclasses
import datetime as dt
import enum
import math
import os
import sys
import uuid
from collections.abc import Mapping, MutableSequence
from collections.abc import Set as AbstractSet
from typing import Any, Callable

import orjson

MAX_DEPTH = 100
"""Levels of nesting kept; orjson refuses beyond 254, and SQLite's JSON beyond 1,000."""
MAX_REPR = 2_000
"""Characters kept of an object of which nothing but its `repr` is known."""

# Of a name in an object that is cut: the characters kept, and the bytes they take if each has
# to be escaped.
_MAX_NAME = 500
_NAME_ROOM = 6 * _MAX_NAME + 10
_MIN_SHARE = _NAME_ROOM + 1_000

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_SCALARS = (str, int, float, dt.date, dt.time)


def _simplified(value: Any) -> Any:
    """Return something closer to JSON than `value`."""
    for kinds, simpler in _SIMPLER:
        if isinstance(value, kinds):
            return simpler(value)
    # Nobody has a number of a module that is not loaded, and loading it takes milliseconds.
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return _simplified_array(value)


def _simplified_array(value: Any) -> Any:
    """The same for numpy's scalars and arrays, known by what they can do."""
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        # As a number, a time would lose its unit.
        return value.astype(str).tolist()
    scalar = getattr(value, "item", None)
    if callable(scalar) and getattr(value, "shape", None) == ():
        return scalar()
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    return _represent(value)


def degraded(value: Any) -> Any:
    """Return a copy of the tree in which every value is one that orjson writes.

    Field by field: what is fine stays, what is not is replaced alone. Cycles are cut.
    """
    return _degrade(value, 0, frozenset())


def writable(value: Any) -> Any:
    """Return a parsed value as it can be written again, degraded where it could not be.

    What was read may nest deeper than JSON is written here, and Python's own parser takes
    numbers and texts that have no encoding: one of them would stop every pass at its line.
    """
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return degraded(value)
    return value


def _degrade(value: Any, depth: int, above: frozenset[int]) -> Any:
    try:
        return _degrade_known(value, depth, above)
    except Exception:
        return _represent(value)


def _degrade_known(value: Any, depth: int, above: frozenset[int]) -> Any:
    if isinstance(value, enum.Enum):
        return _degrade(value.value, depth, above)
    if value is None or isinstance(value, _SCALARS):
        return _degrade_scalar(value)
    if id(value) in above:
        return "<cycle>"
    if depth >= MAX_DEPTH:
        return _represent(value)
    above |= {id(value)}
    if isinstance(value, dict):
        return _degrade_dict(value, depth, above)
    if isinstance(value, (list, tuple)):
        return [_degrade(item, depth + 1, above) for item in list(value)]
    return _degrade(_simplified(value), depth + 1, above)


def _degrade_scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean(str(value))
    if isinstance(value, int):
        return int(value) if _INT_MIN <= value <= _INT_MAX else _digits(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _clean(value.isoformat())


def _degrade_dict(value: dict[Any, Any], depth: int, above: frozenset[int]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, item in list(value.items()):
        name = _key(key)
        while name in plain:
            # 1 and "1" are two names in Python and one in JSON: neither may cost the other.
            name += f" ({type(key).__name__})"
        plain[name] = _degrade(item, depth + 1, above)
    return plain


def shortened(data: Any, limit: int) -> Any:
    """Return `data` cut to at most `limit` encoded bytes, each cut value marked as cut.

    An object keeps its names and its small values, so long as each has room for some of it;
    `limit` is 1,000 at least.
    """
    encoded = orjson.dumps(data)
    if len(encoded) <= limit:
        return data
    if isinstance(data, dict) and limit // len(data) >= _MIN_SHARE:
        share = limit // len(data) - _NAME_ROOM
        return {name[:_MAX_NAME]: shortened(value, share) for name, value in data.items()}
    # Cut bytes may end inside a character, and each byte may take six to escape again.
    head = encoded[: limit // 8].decode("utf-8", "ignore")
    return f"{head} [cut: {len(encoded)} bytes]"


def text_of(value: Any) -> str:
    """Return `value` as a text that has an encoding, whatever it is."""
    try:
        return _clean(str(value))
    except Exception:
        return _represent(value)


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if key is None or isinstance(key, (str, bool, float)):
        return text_of(key)
    plain = _degrade(key, MAX_DEPTH - 1, frozenset())
    return plain if isinstance(plain, str) else text_of(key)


def _clean(text: str) -> str:
    """A lone surrogate has no UTF-8: it is written as the escape a person would read."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        # Python refuses to print very long integers in decimal; hexadecimal is exact too.
        return hex(number)


def _text_of_bytes(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + binascii.b2a_base64(raw, newline=False).decode("ascii")


def _ordered(values: AbstractSet[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=_represent)


def _represent(value: Any) -> str:
    try:
        return _clean(repr(value)[:MAX_REPR])
    except Exception:
        return f"<unprintable {type(value).__name__}>"


_SIMPLER: tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((os.PathLike, dt.timedelta, complex, uuid.UUID), str),
    ((bytes, bytearray, memoryview), lambda raw: _text_of_bytes(bytes(raw))),
    ((AbstractSet,), _ordered),
    ((BaseException,), lambda error: f"{type(error).__name__}: {error}"),
    ((Mapping,), dict),
    ((tuple, MutableSequence), list),
)

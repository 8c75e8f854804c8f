"""Take one step from any Python object towards what JSON holds.

Called by the degrading walk for values that JSON does not know. Everything here takes at most
`limit` items or bytes of a value, however large it is.
"""

from __future__ import annotations

import binascii
import dataclasses
import datetime as dt
import math
import os
import reprlib
import sys
import uuid
from collections.abc import Mapping, MutableSequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, Callable

from telemetry_core.guard import is_interrupt
from telemetry_core.redaction import AROUND_CUT, without_torn_secret

MAX_REPR = 2_000
"""Characters kept of an object of which nothing but its `repr` is known."""

_CONTAINERS = (dict, list, tuple, set, frozenset)


_REPR = reprlib.Repr()
# Else it leaves the ends of texts that are longer than thirty characters, such as secrets.
_REPR.maxstring = _REPR.maxother = MAX_REPR


class Cut(list[Any]):
    """The first items of something that had more; `more` says what is missing."""

    more = ""


def simplified(value: Any, limit: int) -> Any:
    """Return something closer to JSON than `value`."""
    for kinds, simpler in _SIMPLER:
        if isinstance(value, kinds):
            return simpler(value, limit)
    # Nobody has a number of a module that is not loaded, and loading it takes milliseconds.
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return _simplified_array(value, limit)


def described(value: Any) -> str:
    """Return the `repr` of a value, bounded, or a text that says that it has none."""
    try:
        if isinstance(value, _CONTAINERS):
            # Their own repr has no bound.
            return clean(without_torn_secret(_REPR.repr(value), MAX_REPR))
        return clean(without_torn_secret(repr(value), MAX_REPR))
    except Exception as error:
        if is_interrupt(error):
            raise
        return f"<unprintable {type(value).__name__}>"


def clean(text: str) -> str:
    """Return a text that has an encoding: a lone surrogate as the escape a person would read."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _simplified_array(value: Any, limit: int) -> Any:
    """The same for scalars and arrays of NumPy and its kin, known by what they can do."""
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        # As a number, a time would lose its unit.
        return value.astype(str).tolist() if _item_count(value) <= limit else _head(value, limit)
    scalar = getattr(value, "item", None)
    if callable(scalar) and getattr(value, "shape", None) == ():
        return scalar()
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist() if _item_count(value) <= limit else _head(value, limit)
    return described(value)


def _item_count(value: Any) -> int:
    shape = getattr(value, "shape", None)
    return len(value) if shape is None else math.prod(shape)


def _head(value: Any, limit: int) -> Any:
    """Return the first items of a large array, whatever its shape, without copying all of it."""
    flat = getattr(value, "flat", None)
    first = flat[:limit] if flat is not None else value.reshape(-1)[:limit]
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        first = first.astype(str)
    head = Cut(first.tolist())
    head.more = f"{_item_count(value)} items of shape {tuple(value.shape)}"
    return head


def _text_of_bytes(raw: Any, limit: int) -> str:
    size = raw.nbytes if isinstance(raw, memoryview) else len(raw)
    if size > limit:
        head = _decoded(bytes(memoryview(raw).cast("B")[: limit + AROUND_CUT]))
        return f"{without_torn_secret(head, limit)} [cut: {size} bytes]"
    return _decoded(bytes(raw))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + binascii.b2a_base64(raw, newline=False).decode("ascii")


def _ordered(values: AbstractSet[Any], limit: int) -> list[Any]:
    if len(values) > limit:
        head = Cut(islice(values, limit))
        head.more = f"{len(values)} items"
        return head
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=described)


def _listed(values: Any, limit: int) -> list[Any]:
    head = Cut(islice(values, limit))
    if len(values) > len(head):
        head.more = f"{len(values)} items"
    return head


_SIMPLER: tuple[tuple[tuple[type, ...], Callable[[Any, int], Any]], ...] = (
    ((os.PathLike, dt.timedelta, complex, uuid.UUID), lambda value, _: str(value)),
    ((bytes, bytearray, memoryview), _text_of_bytes),
    ((AbstractSet,), _ordered),
    ((BaseException,), lambda error, _: f"{type(error).__name__}: {error}"),
    ((Mapping,), lambda mapping, limit: dict(islice(mapping.items(), limit))),
    ((tuple, MutableSequence), _listed),
)

"""Write values that JSON cannot hold as well as they can be.

Called by the codec, and only for what is not plain JSON already or is too large. Nothing here
raises: a value that defies even `repr` becomes a text that says so. With a limit the work is
bounded in bytes, values and time, whatever the shape of the tree.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import time
from itertools import islice
from typing import Any, Optional

import orjson

from telemetry_core.guard import is_interrupt
from telemetry_core.redaction import without_torn_secret
from telemetry_core.simplify import Cut, clean, described, simplified

MAX_DEPTH = 100
"""Levels of nesting kept; orjson refuses beyond 254, and SQLite's JSON beyond 1,000."""
MAX_VALUES = 100_000
"""Values of one tree that are looked at, where there is a limit."""
MAX_CPU_SECONDS = 0.25
MAX_SECONDS = 2.0
"""Time of this thread, and time by the clock, for one tree where there is a limit: what comes
after that is cut. The first stands while the host's code waits."""

_UNBOUNDED = 1 << 62
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_SCALARS = (str, int, float, dt.date, dt.time)
_MAX_NAME = 500
_MARK_BYTES = 60
_FEW = 1_000
"""Items among which the room is shared; of more, the first ones get it."""
_COPIED_AT_ONCE = 10_000
"""Items of one object or array that are copied whole, which takes well under a millisecond."""
_CLOCK_EVERY = 64


def degraded(value: Any, limit: Optional[int] = None) -> Any:
    """Return a copy of the tree in which every value is one that orjson writes.

    Field by field: what is fine stays, what is not is replaced alone. Cycles are cut. With a
    `limit` in bytes the copy takes about that as JSON at most: an object keeps its names and its
    small values, what is cut says so, and the work is bounded as well.
    """
    return _Walk(limit).value(value, 0, frozenset(), limit or _UNBOUNDED)[0]


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


def text_of(value: Any) -> str:
    """Return `value` as a text that has an encoding, whatever it is."""
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return described(value)
    try:
        return clean(str(value))
    except Exception as error:
        if is_interrupt(error):
            raise
        return described(value)


class _Walk:
    """One walk through a tree, with what is left of its bounds.

    Each method returns a plain copy and about how many bytes it takes, never too few.
    """

    def __init__(self, limit: Optional[int]) -> None:
        self._is_bounded = limit is not None
        self._values = MAX_VALUES if self._is_bounded else _UNBOUNDED
        self._cpu_deadline = time.thread_time() + MAX_CPU_SECONDS
        self._deadline = time.monotonic() + MAX_SECONDS

    def value(self, value: Any, depth: int, above: frozenset[int], room: int) -> tuple[Any, int]:
        self._values -= 1
        if self._is_bounded and self._values % _CLOCK_EVERY == 0 and self._is_late():
            self._values = 0
        try:
            return self._known(value, depth, above, room)
        except Exception as error:
            if is_interrupt(error):
                raise
            return self._text(described(value), room)

    def _is_late(self) -> bool:
        return time.thread_time() > self._cpu_deadline or time.monotonic() > self._deadline

    def _known(self, value: Any, depth: int, above: frozenset[int], room: int) -> tuple[Any, int]:
        if isinstance(value, enum.Enum):
            return self.value(value.value, depth, above, room)
        if value is None or isinstance(value, _SCALARS):
            return self._scalar(value, room)
        if id(value) in above:
            return "<cycle>", 10
        if depth >= MAX_DEPTH or self._values <= 0:
            return self._text(described(value), room)
        above |= {id(value)}
        if isinstance(value, dict):
            return self._object(value, depth, above, room)
        if isinstance(value, (list, tuple)):
            return self._array(value, depth, above, room)
        items = min(room, self._values) if self._is_bounded else _UNBOUNDED
        return self.value(simplified(value, items), depth + 1, above, room)

    def _scalar(self, value: Any, room: int) -> tuple[Any, int]:
        if value is None or isinstance(value, bool):
            return value, 6
        if isinstance(value, str):
            return self._text(value, room)
        if isinstance(value, int):
            whole = int(value)
            return (
                (whole, 22) if _INT_MIN <= whole <= _INT_MAX else self._text(_digits(whole), room)
            )
        if isinstance(value, float):
            return (float(value) if math.isfinite(value) else None), 26
        return self._text(value.isoformat(), room)

    def _text(self, text: str, room: int) -> tuple[str, int]:
        if not self._is_bounded:
            return clean(str(text)), 0
        if len(text) <= room:
            whole = clean(str(text))
            cost = len(whole) + 3
            is_simple = whole.isascii() and whole.isprintable()
            if not is_simple or '"' in whole or "\\" in whole:
                cost = len(orjson.dumps(whole)) + 1
            if cost <= room:
                return whole, cost
        # Each character may take six bytes to escape.
        kept = without_torn_secret(text, max(0, room - _MARK_BYTES) // 6)
        short = f"{clean(kept)} [cut: {len(text)} characters]"
        return short, max(room, _MARK_BYTES)

    def _object(
        self, value: dict[Any, Any], depth: int, above: frozenset[int], room: int
    ) -> tuple[Any, int]:
        items = self._taken(value.items(), len(value), room)
        named, cost = self._named(items, len(value), room)
        if len(named) < len(value):
            cost += _MARK_BYTES
        kept, used = self._shared(list(named.values()), depth, above, room - cost)
        plain = dict(zip(named, kept))
        missing = len(value) - len(plain)
        if missing > 0:
            plain["[cut]"] = f"[cut: {missing} more]"
        return plain, cost + used

    def _named(self, items: list[Any], count: int, room: int) -> tuple[dict[str, Any], int]:
        """Return the values by names that JSON can hold, as many as there is room for."""
        named: dict[str, Any] = {}
        cost = 4
        for key, item in items:
            name = _key(key)
            if self._is_bounded and len(name) * count > room // 2:
                name = without_torn_secret(name, _MAX_NAME)
            while name in named:
                # 1 and "1" are two names in Python and one in JSON: neither costs the other.
                name += f" ({type(key).__name__})"
            if self._is_bounded:
                cost += len(orjson.dumps(name)) + 2
                if cost + _MARK_BYTES > room and named:
                    break
            named[name] = item
        return named, cost

    def _array(
        self, value: Any, depth: int, above: frozenset[int], room: int
    ) -> tuple[list[Any], int]:
        items = self._taken(value, len(value), room)
        kept, cost = self._shared(items, depth, above, room - _MARK_BYTES)
        more = getattr(value, "more", "") if isinstance(value, Cut) else ""
        if len(kept) < len(value):
            more = f"{len(value) - len(kept)} more"
        if more:
            kept.append(f"[cut: {more}]")
        return kept, cost + _MARK_BYTES

    def _taken(self, items: Any, count: int, room: int) -> list[Any]:
        """Return a copy of the items; no more than there could be room for.

        `list` copies in one step of the interpreter, so that no other thread changes the items
        meanwhile. Where that would copy much for little, `islice` starts before it is read.
        """
        most = min(count, self._values, room // 4 + 1)
        if not self._is_bounded or count <= _COPIED_AT_ONCE:
            return list(items)[:most]
        return list(islice(items, most))

    def _shared(
        self, items: list[Any], depth: int, above: frozenset[int], room: int
    ) -> tuple[list[Any], int]:
        """Return plain copies of the first items there is room for.

        Few items share the room, small ones first, so that one large value costs no other.
        """
        if not self._is_bounded:
            return [self.value(item, depth + 1, above, room)[0] for item in items], 0
        few = len(items) <= _FEW
        order = sorted(range(len(items)), key=lambda at: _rough_size(items[at])) if few else None
        kept: list[Any] = [None] * len(items)
        used = 2
        for done, at in enumerate(order or range(len(items))):
            left = room - used
            if left < _MARK_BYTES or self._values <= 0:
                if not few:
                    return kept[:at], used
                kept[at], cost = "[cut]", 8
            else:
                share = max(left // (len(items) - done), _MARK_BYTES) if few else left
                kept[at], cost = self.value(items[at], depth + 1, above, share)
            used += cost + 1
        return kept, used


def _rough_size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, (dict, list, tuple)):
        return 100 + len(value)
    return 8 if isinstance(value, (int, float, type(None))) else 200


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if key is None or isinstance(key, (str, bool, float)):
        return text_of(key)
    plain = _Walk(None).value(key, MAX_DEPTH - 1, frozenset(), _UNBOUNDED)[0]
    return plain if isinstance(plain, str) else text_of(key)


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        # Python refuses to print very long integers in decimal; hexadecimal is exact too.
        return hex(number)

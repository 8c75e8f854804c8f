"""Plain values: trees of Python's own JSON types, recognised without running any Python code.

Called by the codec before it encodes. orjson may be given no other trees: it walks dictionaries
in C, and where it meets an enum or a time zone it runs Python, during which another thread of
the agent may change the very dictionary, and the agent dies of a segmentation fault.
"""

from __future__ import annotations

from typing import Any

MAX_NODES = 1_000_000
"""Values in one tree; larger ones are cut."""
NOT_PLAIN = -1
TOO_LARGE = 1 << 62

_NUMBERS = frozenset((int, float, bool, type(None)))
_CONTAINERS = frozenset((dict, list, tuple))
_MANY = 200
_LONG = 4_096
_ESCAPED = 6
"""The bytes that one character may take: an escape, or four bytes of UTF-8."""


def plain_size(tree: Any, limit: int) -> int:
    """Return about how many bytes a tree takes as JSON; NOT_PLAIN, or TOO_LARGE beyond `limit`.

    The tree is an object or a list. No more is looked at than could matter, whatever its shape;
    one that contains itself is too large.
    """
    try:
        return _walked([tree], limit) if type(tree) in _CONTAINERS else NOT_PLAIN
    except RuntimeError:
        # Another thread changed a dictionary meanwhile.
        return NOT_PLAIN


def _walked(containers: list[Any], limit: int) -> int:  # noqa: C901  # each call costs every event
    size = count = 0
    for container in containers:
        count += len(container)
        size += 4 * len(container)
        if size > limit or count > MAX_NODES:
            return TOO_LARGE
        values = container
        if type(container) is dict:
            values = container.values()
            for name in container:
                if type(name) is not str:
                    return NOT_PLAIN
                size += len(name) if len(name) < _LONG else _long_text(name)
        elif len(container) > _MANY and _NUMBERS.issuperset(map(type, container)):
            continue
        for value in values:
            kind = type(value)
            if kind is str:
                size += len(value) if len(value) < _LONG else _long_text(value)
            elif kind not in _NUMBERS:
                if kind not in _CONTAINERS:
                    return NOT_PLAIN
                containers.append(value)
    return size if size <= limit else TOO_LARGE


def _long_text(text: str) -> int:
    """Return at least half the bytes that a text takes."""
    plain = text.isascii() and text.isprintable()
    return len(text) * (1 if plain else _ESCAPED)

"""Recognise trees of Python's own JSON types without running any Python code of the host.

Called by the codec before it encodes. orjson may be given no other trees: it walks dictionaries
in C, and where it meets an enum or a time zone it runs Python, during which another thread of
the agent may change the very dictionary, and the agent dies of a segmentation fault. That a tree
is still plain when orjson gets it is the codec's business.
"""

from __future__ import annotations

import gc
from itertools import chain
from typing import Any

MAX_NODES = 1_000_000
"""Values in one tree; larger ones are cut."""
NOT_PLAIN = -1
TOO_LARGE = 1 << 62

_NUMBERS = frozenset((int, float, bool, type(None)))
_CONTAINERS = frozenset((dict, list, tuple))
_PLAIN = _NUMBERS | _CONTAINERS | {str}
_FEW = 5
"""Containers that are looked at one by one."""
_MANY = 50
"""Values of one that are no longer."""
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
    for at, container in enumerate(containers):
        if at == _FEW:
            return _wide(containers[at:], size, count, limit)
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
        if len(container) > _MANY:
            if _NUMBERS.issuperset(map(type, values)):
                continue
            return _wide(containers[at:], size, count, limit)
        for value in values:
            kind = type(value)
            if kind is str:
                size += len(value) if len(value) < _LONG else _long_text(value)
            elif kind not in _NUMBERS:
                if kind not in _CONTAINERS:
                    return NOT_PLAIN
                containers.append(value)
    return size if size <= limit else TOO_LARGE


def _wide(level: list[Any], size: int, count: int, limit: int) -> int:
    """Measure the rest of a tree level by level, each in a few steps of C."""
    while level:
        items = sum(map(len, level))
        count += items
        size += 4 * items
        if size > limit or count > MAX_NODES:
            return TOO_LARGE
        dicts = [one for one in level if type(one) is dict]
        try:
            size += _size_of_texts(list(chain.from_iterable(dicts)), limit) if dicts else 0
        except TypeError:
            # A name without a length; orjson refuses all others that are no texts.
            return NOT_PLAIN
        # Of a dictionary these are its values; its names too, where one of them is no text.
        values = gc.get_referents(*level)
        kinds = set(map(type, values))
        if not kinds <= _PLAIN:
            return NOT_PLAIN
        if str in kinds:
            size += _size_of_texts([one for one in values if type(one) is str], limit)
        level = [one for one in values if type(one) in _CONTAINERS] if kinds & _CONTAINERS else []
    return size if size <= limit else TOO_LARGE


def _size_of_texts(texts: list[str], limit: int) -> int:
    size = sum(map(len, texts))
    if _LONG <= size <= limit:
        for text in texts:
            if len(text) >= _LONG:
                size += _long_text(text) - len(text)
                if size > limit:
                    break
    return size


def _long_text(text: str) -> int:
    """Return at least half the bytes that a text takes."""
    plain = text.isascii() and text.isprintable()
    return len(text) * (1 if plain else _ESCAPED)

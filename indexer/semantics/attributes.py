"""Attributes as they are kept with a span: bounded, since the event itself keeps them whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

MAX_CHARACTERS = 500
MAX_ATTRIBUTES = 100


def bounded(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with long values cut; to bound them once more changes nothing."""
    if len(attributes) <= MAX_ATTRIBUTES and all(map(_is_short, attributes.values())):
        return dict(attributes)
    # The conventions' own names first: what is beyond the bound is not lost from the event.
    names = sorted(attributes, key=lambda name: (not name.startswith("gen_ai."), name))
    names = names[:MAX_ATTRIBUTES]
    return {name: _bounded(attributes[name]) for name in names}


def _is_short(value: Any) -> bool:
    """Whether a value is kept as it is; most are, and to tell takes a tenth of the time."""
    if isinstance(value, str):
        return len(value) <= MAX_CHARACTERS
    return not isinstance(value, (dict, list))


def _bounded(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        text = orjson.dumps(value).decode()
        return value if len(text) <= MAX_CHARACTERS else _cut(text)
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"

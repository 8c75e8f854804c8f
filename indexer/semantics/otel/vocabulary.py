"""Describe a vocabulary of attributes: the names by which it says what we want to know.

Each vocabulary is one value of this type; the translator of spans asks them in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

Attributes = Mapping[str, Any]


class Vocabulary(NamedTuple):
    """The names of attributes in one convention, the newest generation first."""

    name: str
    kind: Callable[[Attributes], Optional[str]]
    """Return the kind of a span with these attributes; None if the vocabulary does not say."""
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    cache_read: tuple[str, ...] = ()
    cache_write: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    tool_name: tuple[str, ...] = ()
    tool_call: tuple[str, ...] = ()
    agent_name: tuple[str, ...] = ()
    conversation: tuple[str, ...] = ()
    time_to_first_token: tuple[str, ...] = ()
    """In seconds, as the conventions have it."""

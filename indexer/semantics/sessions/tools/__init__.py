"""Coding agents whose sessions can be imported: one module each, or one folder.

Adding one takes nothing else: a module `its_name` here, with `TOOL`, is the tool `its-name`. Where
there is much to know it is a folder: where the `files` lie, how to `translate` a line, and the
`transcript`.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Whoever only wants the names has no use for all that a tool is.
    from indexer.semantics.sessions.tool import Tool


def tool_names() -> list[str]:
    """Return the names of all tools, in order, without importing what is known of them."""
    files = {name for folder in __path__ for name in os.listdir(folder)}
    return sorted(name.partition(".")[0].replace("_", "-") for name in files if name[0] != "_")


@lru_cache(maxsize=1)
def all_tools() -> dict[str, Tool]:
    """Return every tool by its name, in order of name."""
    return {name: _tool(name) for name in tool_names()}


def tool_of_type(event_type: str) -> Tool:
    """Return the tool whose lines are kept as events of this type. Raises KeyError."""
    return all_tools()[event_type.partition(".")[2]]


def _tool(name: str) -> Tool:
    tool: Tool = import_module(f"{__name__}.{name.replace('-', '_')}").TOOL
    return tool

"""Coding agents whose sessions can be imported, one file each."""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module

from indexer.importers.tool import Tool


@lru_cache(maxsize=1)
def all_tools() -> dict[str, Tool]:
    """Return every tool by its name, in order of name."""
    modules = [import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    tools: list[Tool] = [module.TOOL for module in modules]
    return {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}

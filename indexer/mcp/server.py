"""Offer the tools over standard input and output, by the official SDK.

Standard output belongs to the protocol: nothing else may be printed there.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from typing import Any

# An extra: importers of this module say so where it is missing.
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from indexer.mcp.bounds import NOTICE
from indexer.mcp.tools import NAMES, Tools
from indexer.system.base import Base
from telemetry_core import __version__
from telemetry_core.errors import TelemetryError

_INSTRUCTIONS = f"""\
What agents and jobs on this machine did: their runs, errors, events, model calls and costs.
To find out why something failed, call what_failed, then show_run with its latest_run.
All tools only read. {NOTICE}"""


def make_server(base: Base) -> MCPServer[Any]:
    """Return a server on one base directory."""
    server: MCPServer[Any] = MCPServer(
        "local-telemetry", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    tools = Tools(base)
    annotations = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    for name in NAMES:
        server.tool(name=name, annotations=annotations)(_guarded(getattr(tools, name)))
    return server


def _guarded(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a tool whose expected errors reach the agent as they are worded."""

    @functools.wraps(tool)
    def call(**arguments: Any) -> dict[str, Any]:
        try:
            return tool(**arguments)
        except (TelemetryError, ValueError, OSError, sqlite3.Error) as error:
            raise ToolError(str(error)[:500]) from error

    return call

"""The configuration by which coding agents start the server, and where each keeps it.

Nothing is written without being asked for. What is already in a file stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Optional

from indexer.errors import SettingsNotWritten
from indexer.system.atomic_file import write_atomically
from telemetry_core.storage import make_directory

NAME = "telemetry"
TOOLS = ("claude-code", "codex", "gemini")


class Installation(NamedTuple):
    """A file of one tool, as it is to be."""

    path: Path
    text: str
    """The whole file with the server in it."""
    added: str
    """What is added, for people who do it by hand."""
    is_there: bool
    """Whether the file has exactly this already."""


def command_of(base: Optional[Path]) -> list[str]:
    """Return the command that starts the server for a base directory, or for the environment's."""
    where = [] if base is None else ["--base", str(base)]
    return [sys.executable, "-m", "indexer", *where, "mcp"]


def installation(tool: str, command: list[str], home: Path, project: Path) -> Installation:
    """Return what to write for a tool. Raises SettingsNotWritten where its file makes no sense."""
    if tool == "codex":
        return _in_toml(home / ".codex" / "config.toml", command)
    path = project / ".mcp.json" if tool == "claude-code" else home / ".gemini" / "settings.json"
    return _in_json(path, command)


def write(wanted: Installation) -> None:
    """Write the file. Raises OSError."""
    make_directory(wanted.path.parent)
    write_atomically(wanted.path, wanted.text.encode())


def _in_json(path: Path, command: list[str]) -> Installation:
    entry = {"command": command[0], "args": command[1:]}
    try:
        document = json.loads(_read(path) or "{}")
    except ValueError:
        document = None
    servers = document.get("mcpServers", {}) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(servers, Mapping):
        raise SettingsNotWritten(f"{path} is not a JSON object: fix it, then try again")
    is_there = servers.get(NAME) == entry
    document["mcpServers"] = {**servers, NAME: entry}
    added = json.dumps({"mcpServers": {NAME: entry}}, indent=2)
    return Installation(path, json.dumps(document, indent=2) + "\n", added, is_there)


def _in_toml(path: Path, command: list[str]) -> Installation:
    # A JSON string or list of strings is one of TOML's too.
    section = f"[mcp_servers.{NAME}]"
    added = f"{section}\ncommand = {json.dumps(command[0])}\nargs = {json.dumps(command[1:])}\n"
    text = _read(path)
    if added in text:
        return Installation(path, text, added, is_there=True)
    if section in text:
        raise SettingsNotWritten(f"{path} has another {section}: edit it by hand")
    between = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return Installation(path, f"{text}{between}{added}", added, is_there=False)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""

"""The configuration of coding agents: what is there stays, and nothing is written twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from indexer.errors import SettingsNotWritten
from indexer.mcp.install import TOOLS, command_of, installation, write

_COMMAND = command_of(None)


@pytest.mark.parametrize("tool", TOOLS)
def test_it_is_merged_once_and_what_was_there_stays(tool: str, tmp_path: Path) -> None:
    """Also where the file did not exist."""
    wanted = installation(tool, _COMMAND, tmp_path, tmp_path)
    old = 'model = "gpt-5"\n' if tool == "codex" else '{"mcpServers": {"other": {}}, "a": 1}'
    wanted.path.parent.mkdir(exist_ok=True)
    wanted.path.write_text(old)
    wanted = installation(tool, _COMMAND, tmp_path, tmp_path)
    assert not wanted.is_there
    write(wanted)
    text = wanted.path.read_text()
    assert json.dumps(sys.executable) in text
    assert installation(tool, _COMMAND, tmp_path, tmp_path).is_there
    if tool == "codex":
        assert text.startswith(old)
    else:
        assert json.loads(text)["mcpServers"].keys() == {"other", "telemetry"}


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ("claude-code", "[1]"),
        ("gemini", "{not json"),
        ("gemini", '{"mcpServers": 3}'),
        ("codex", "[mcp_servers.telemetry]\ncommand = 'x'\n"),
    ],
)
def test_a_file_that_makes_no_sense_is_left_alone(tool: str, text: str, tmp_path: Path) -> None:
    """It is named, and not written to."""
    path = installation(tool, _COMMAND, tmp_path, tmp_path).path
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(SettingsNotWritten, match=path.name):
        installation(tool, _COMMAND, tmp_path, tmp_path)

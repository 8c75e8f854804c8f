"""`telemetry import`, `sessions` and `show --transcript`, from files to what people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli
from tests.support.sessions import (
    AGENT,
    SESSION,
    THREAD,
    claude_tree,
    codex_lines,
    codex_path,
    gemini_tree,
    write,
)


@pytest.fixture
def cli(base: Path, capsys, tmp_path: Path, monkeypatch) -> Cli:
    """The command line on a base that has imported sessions of all tools."""
    home = tmp_path / "home"
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    claude_tree(home)
    write(codex_path(home), codex_lines())
    gemini_tree(home)
    cli = Cli(base, capsys)
    assert cli("import", "all").code == 0
    return cli


def test_each_session_is_a_row_with_what_it_did(cli: Cli) -> None:
    """Turns, tools, tokens and models; a subagent's are its session's."""
    rows = {row["run_id"]: row for row in cli("sessions", "--json").json}
    assert set(rows) == {
        f"claude-code-{SESSION}",
        f"codex-{THREAD}",
        "gemini-9e9e0000",
        "gemini-old-1",
    }
    claude = rows[f"claude-code-{SESSION}"]
    assert (claude["turns"], claude["tools"], claude["calls"]) == (1, 1, 3)
    assert (
        claude["input_tokens"],
        claude["cache_read_tokens"],
        claude["cache_write_tokens"],
        claude["output_tokens"],
    ) == (15, 300, 60, 631 + 10 + 10)
    assert (claude["project"], claude["models"]) == ("-home-user-app", "claude-sonnet-4-5")
    codex = rows[f"codex-{THREAD}"]
    assert (codex["calls"], codex["tools"]) == (1, 1)
    assert (codex["input_tokens"], codex["cache_read_tokens"], codex["output_tokens"]) == (
        1000,
        2000,
        50,
    )
    gemini = rows["gemini-9e9e0000"]
    assert (gemini["turns"], gemini["calls"], gemini["output_tokens"]) == (1, 2, 200)


def test_sessions_are_chosen_by_tool_project_and_time(cli: Cli) -> None:
    """And shown as a table."""
    assert len(cli("sessions", "--tool", "gemini", "--json").json) == 2
    assert len(cli("sessions", "--project", "home-user", "--json").json) == 1
    assert cli("sessions", "--since", "1h", "--json").json == []
    shown = cli("sessions").out
    assert "claude-sonnet-4-5" in shown
    assert "PROJECT" in shown


def test_a_transcript_is_read_as_text(cli: Cli) -> None:
    """Who said what, in the order of the file; the tools with what they were asked and gave."""
    text = cli("show", f"claude-code-{SESSION}", "--transcript").out
    order = ["## user", "hi", "## assistant", "## tool call", "ls", "## tool result", "a.py"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert "## tool call shell" in cli("show", f"codex-{THREAD}", "--transcript").out
    assert cli("show", f"claude-code-{SESSION}-agent-{AGENT}", "--transcript").out
    cli("start", "a", "b")
    assert cli("show", "latest", "--transcript").code == 1


def test_importing_says_what_it_did(cli: Cli, tmp_path: Path) -> None:
    """Nothing new, nothing found, and a path that is not there, which is a usage error."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cli("import", "all").out.startswith("nothing new in ")
    ran = cli("import", "gemini", str(empty))
    assert (ran.out, "name a file" in ran.err) == ("no session files found\n", True)
    assert cli("import", "codex", str(tmp_path / "nosuch")).code == 2
    assert cli("import", "nosuch").code == 2
    assert cli("import", "all", "--json").json["events"] == 0

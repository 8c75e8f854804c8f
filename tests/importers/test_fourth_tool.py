"""A further coding agent: one file, and its sessions are imported, folded and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_TOOL = '''
"""Sessions of a tool that this test makes up."""

from indexer.semantics.facts import FROM_LINE, LLM, OK, RunFacts, SpanFacts, Translation, Usage
from indexer.semantics.run_ids import session_run_id
from indexer.semantics.sessions.entry import USER, message
from indexer.semantics.sessions.tool import Owner, SessionFile, Tool


class _File(SessionFile):
    def __init__(self, name):
        self._name = name

    def owner(self, line):
        return Owner(session_run_id("pocket-agent", self._name), self._name)

    def time(self, line):
        return line.get("at")


class PocketAgent(Tool):
    name = "pocket-agent"

    def roots(self, environ, home):
        return [home / ".pocket"]

    def is_session(self, path):
        return path.suffix == ".pocket"

    def knows(self, line):
        return "said" in line

    def open(self, path, head):
        return _File(path.stem)

    def translate(self, lines):
        spans = [
            SpanFacts((f"line:{one.event_id}",), FROM_LINE, self.name, one.event_id, kind=LLM,
                      status=OK, usage=Usage(1, 2, 3, one.line["out"]))
            for one in lines
        ]
        run = RunFacts(agent_name=self.name, job_type="session", status="success")
        return Translation(run, spans)

    def entries(self, lines):
        return (message(USER, one.line["said"], one.line["at"]) for one in lines)

    def is_turn(self, line):
        return True


TOOL = PocketAgent()
'''
_COMMAND = """
import sys
import indexer.semantics.sessions.tools as tools
tools.__path__.append(sys.argv.pop(1))
from indexer.cli.main import main
main()
"""


def _telemetry(folder: Path, *arguments: str) -> str:
    """Run a command where the package of tools has one folder more."""
    command = [sys.executable, "-c", _COMMAND, str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_one_file_adds_a_coding_agent(base: Path, tmp_path: Path) -> None:
    """Import, fold, usage, list and transcript; no other file knows its name."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "pocket_agent.py").write_text(_TOOL)
    session = tmp_path / "s1.pocket"
    line = {"at": "2026-08-01T09:00:00Z", "said": "good morning", "out": 7}
    session.write_text(json.dumps(line) + "\n")
    at = ("--base", str(base))
    _telemetry(folder, *at, "import", "pocket-agent", str(session))
    (row,) = json.loads(_telemetry(folder, *at, "sessions", "--json"))
    assert (row["tool"], row["turns"], row["output_tokens"]) == ("pocket-agent", 1, 7)
    shown = _telemetry(folder, *at, "show", "pocket-agent-s1", "--transcript")
    assert "good morning" in shown

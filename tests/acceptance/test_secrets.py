"""Secrets planted at every way in: nowhere below the base, in no output, log or delivery."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.cli.shell.entry import run_light
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.log import Log
from tests.support.process import environment
from tests.support.secrets import SECRETS
from tests.support.sessions import (
    assistant,
    claude_tree,
    codex_line,
    codex_lines,
    codex_path,
    gemini_tree,
    user,
    write,
)

_ALL = "\n".join(text for _, text in SECRETS)
_WORDS = ("hunter2-planted", *(part for _, text in SECRETS for part in text.split("\n")[:1]))
_NAMED = {"db_password": "hunter2-planted", "list": [{"api-key": "hunter2-planted"}]}


def _record(base: Path) -> None:
    """The Python client: fields, events, spans, an exception."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    with (
        pytest.raises(ValueError, match="failed"),
        client.track_run(
            "agent", "job", input_summary=_ALL, context_json=_NAMED, note=json.dumps(_NAMED)
        ) as run,
    ):
        run.log_event("e", {"text": _ALL, **_NAMED, "object": object(), "bytes": _ALL.encode()})
        run.log_events([("e", _NAMED), ("f", json.dumps(json.dumps(_NAMED)))])
        run.set_metrics(output_summary=_ALL, **_NAMED)
        with run.tool_call("curl", arguments={"headers": _NAMED, "url": _ALL}) as tool:
            tool.result(_ALL)
        raise ValueError("failed with " + _ALL)
    client.close()


def _wrap(base: Path, tmp_path: Path) -> None:
    """A command: its arguments, its output, its fields."""
    said = tmp_path / "said"
    said.write_text(_ALL + "\n" + json.dumps(_NAMED))
    command = [
        sys.executable,
        "-m",
        "indexer",
        "--base",
        str(base),
        "exec",
        "--field",
        f"note={json.dumps(_NAMED)}",
        "--",
        sys.executable,
        "-c",
        f"import sys; said = open({str(said)!r}).read(); print(said); sys.exit(said)",
        _ALL,
    ]
    subprocess.run(command, env=environment(), capture_output=True, timeout=60)


def _script(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell script's commands."""
    assert run_light(["--base", str(base), "start", "a", "b", f"input_summary={_ALL}"]) == 0
    run = capsys.readouterr().out.strip()
    run_light(["--base", str(base), "log", run, "e", json.dumps(_NAMED)])
    run_light(["--base", str(base), "set", run, f"x={json.dumps(_NAMED)}"])
    run_light(["--base", str(base), "end", run, "--status", "failed", "--note", _ALL])


def _sessions(home: Path) -> None:
    """Session files of all tools, with a sidecar."""
    claude_tree(home)
    project = home / ".claude" / "projects" / "p"
    tool = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": _ALL, **_NAMED}}
    write(
        project / "s2.jsonl",
        [
            user(1, _ALL, session="s2"),
            assistant(2, "m9", session="s2", content=[tool]),
            _ALL.replace("\n", " ").encode(),
        ],
    )
    agent = project / "s2" / "subagents" / "agent-z.jsonl"
    write(agent, [user(3, session="s2", isSidechain=True, agentId="z")])
    agent.with_name("agent-z.meta.json").write_text(json.dumps({"description": _ALL, **_NAMED}))
    called = codex_line(
        9,
        "response_item",
        type="function_call",
        name="shell",
        call_id="c9",
        arguments=json.dumps({"command": ["curl", _ALL], **_NAMED}),
    )
    write(codex_path(home), [*codex_lines(), called])
    gemini_tree(home)
    chats = home / ".gemini" / "tmp" / "q" / "chats"
    chats.mkdir(parents=True)
    document = {"sessionId": "old-2", "messages": [{"type": "user", "content": _ALL, **_NAMED}]}
    (chats / "session-2025-02-02T00-00-x.json").write_text(json.dumps(document, indent=1))


def _receive(base: Path) -> None:
    """OpenTelemetry: attributes by shape and by name, events, bodies, a status."""
    if sys.version_info < (3, 10):
        return
    from tests.support.receiver import attribute, logs, receiving, span, traces

    reported = [
        attribute("text", _ALL),
        attribute("http.request.header.authorization", "hunter2-planted"),
    ]
    one = span(
        attributes=reported,
        events=[{"name": "exception", "attributes": reported}],
        status={"code": 2, "message": _ALL},
    )
    with receiving(base) as send:
        assert send("/v1/traces", traces(one, attributes=reported)).status == 200
        record = {"body": {"stringValue": json.dumps(_NAMED)}, "attributes": reported}
        assert send("/v1/logs", logs(record)).status == 200


def test_no_secret_is_anywhere(
    base: Path, tmp_path: Path, capsys, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in log, database, deliveries, reports, exports, nor in what a command prints."""
    home = tmp_path / "home"
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("config", "exports", "reports"):
        (base / name).mkdir(parents=True)
    delivered = base / "delivered.ndjson"
    (base / "config" / "telemetry.toml").write_text(
        f'[targets.copy]\nkind = "file"\npath = {json.dumps(str(delivered))}\nfields = "all"\n'
    )
    cli = Cli(base, capsys)
    with caplog.at_level(logging.DEBUG):
        _sessions(home)
        # A target gets what ends after it was first seen.
        assert cli("start", "first", "job").code == 0
        assert cli("forward").code == 0
        _record(base)
        _wrap(base, tmp_path)
        _script(base, capsys)
        assert cli("import", "all").code == 0
        _receive(base)
        printed = [
            cli(*words)
            for words in (
                ("forward",),
                ("runs", "--json"),
                ("tail", "--json"),
                ("doctor",),
                ("scan",),
                ("show", "latest", "--full"),
                ("sessions",),
                ("show", "claude-code-s2", "--transcript"),
                ("export", "runs", "--format", "json", "-o", str(base / "exports" / "runs.json")),
                ("report", "-o", str(base / "reports" / "page.html")),
            )
        ]
    assert delivered.read_bytes()
    everything = b"".join(path.read_bytes() for path in base.rglob("*") if path.is_file())
    everything += "".join(one.out + one.err for one in printed).encode() + caplog.text.encode()
    for word in _WORDS:
        assert word.encode() not in everything, word
    assert b"[redacted:" in Log(base / "raw").bytes()
    assert [one for one in printed if one.code not in (0, 1, 3)] == []
    assert cli("scan", "--json").json["places"] == []

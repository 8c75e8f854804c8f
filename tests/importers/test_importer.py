"""Importing sessions: each line once, verbatim, from wherever it is read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import zstandard

from indexer.importers.importer import Imported, Importer, LogNotWritable, Wanted
from indexer.semantics.sessions.tools import all_tools
from indexer.system.base import Base
from telemetry_core.event import Event
from tests.support.cli import Cli
from tests.support.log import Log
from tests.support.secrets import SECRETS
from tests.support.sessions import (
    AGENT,
    SESSION,
    THREAD,
    assistant,
    claude_tree,
    codex_lines,
    codex_path,
    gemini_tree,
    stamp,
    user,
    write,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with sessions of all three tools."""
    home = tmp_path / "home"
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    claude_tree(home)
    write(codex_path(home), codex_lines())
    gemini_tree(home)
    return home


def _import(base: Path, *paths: Path, **wanted: Any) -> Imported:
    return Importer(Base.at(base), Wanted(list(all_tools().values()), paths, **wanted)).run()


def _events(log: Log) -> dict[str, Event]:
    return {event.id: event for event in log.events()}


def _of(log: Log, run_id: str) -> list[Event]:
    return [event for event in log.events() if event.run_id == run_id]


def test_every_line_is_an_event_of_its_run_with_its_own_bytes(base, log, home):
    """Sessions, subagents and threads; what is no session is not read; odd lines are kept."""
    done = _import(base)
    assert (done.files, done.problems) == (6, [])
    runs = {event.run_id for event in log.events()}
    assert runs == {
        "telemetry.unassigned",
        f"claude-code-{SESSION}",
        f"claude-code-{SESSION}-agent-{AGENT}",
        f"codex-{THREAD}",
        "gemini-9e9e0000",
        "gemini-9e9e0000-agent-helper-1",
        "gemini-old-1",
    }
    lines = [event.data for event in _of(log, f"codex-{THREAD}")]
    assert [one["line"] for one in lines] == codex_lines()
    assert [one["position"] for one in lines] == [f"{n:010d}" for n in range(6)]
    assert {one["part"] for one in lines} == {"2026-08-01T09-00-00"}
    raw = codex_path(home).read_bytes().splitlines()
    assert all(line in log.bytes() for line in raw), "byte for byte"
    assert {event.source for event in log.events()} == {"telemetry/import"}


def test_what_the_path_says_is_an_event_of_its_own(base, log, home):
    """The project, the parent, and the sidecar of a subagent; once."""
    _import(base)
    facts = {event.run_id: event.data["file"] for event in _files(log)}
    assert facts == {
        f"claude-code-{SESSION}": {"project": "-home-user-app"},
        f"claude-code-{SESSION}-agent-{AGENT}": {
            "project": "-home-user-app",
            "parent_session_id": SESSION,
            "sidecar": {"agentType": "Explore", "toolUseId": "toolu_1"},
        },
        "gemini-9e9e0000": {"project": "my-app"},
        "gemini-9e9e0000-agent-helper-1": {"project": "my-app", "parent_session_id": "9e9e0000"},
        "gemini-old-1": {"project": "my-app"},
    }


def test_a_subagent_belongs_to_whoever_made_its_call(base, log, tmp_path):
    """The session before an aside that repeats the call; else the agent whose line has it."""
    session = tmp_path / "projects" / "p" / f"{SESSION}.jsonl"
    call = [{"type": "tool_use", "id": "toolu_x", "name": "Task", "input": {}}]
    side = {"isSidechain": True, "agentId": "aside"}
    folder = session.with_suffix("") / "subagents"
    write(folder / "agent-aside.jsonl", [assistant(2, "m1", content=call, **side)])
    for agent in ("early", "late"):
        lines = [user(3, isSidechain=True, agentId=agent)]
        path = write(folder / f"agent-{agent}.jsonl", lines)
        path.with_name(f"agent-{agent}.meta.json").write_text('{"toolUseId": "toolu_x"}')
        _import(base, path)
        write(session, [user(1), assistant(2, "m1", content=call)])
    callers = {event.run_id: event.data["file"].get("parent_agent_id") for event in _files(log)}
    prefix = f"claude-code-{SESSION}-agent-"
    assert callers == {prefix + "early": "aside", prefix + "late": None}


def _files(log: Log) -> list[Event]:
    return [event for event in log.events() if "file" in event.data]


def test_a_line_without_a_time_has_that_of_its_neighbour(base, log, home):
    """Of the nearest before it, else of the first after it."""
    _import(base)
    times = [
        event.time[14:19]
        for event in log.events()
        if event.run_id in (f"claude-code-{SESSION}", "telemetry.unassigned")
        and "line" in event.data
    ]
    assert times == ["00:01", "00:01", "00:01", "00:02", "00:02", "00:03", "00:03", "00:04"]


def test_sessions_copied_into_one_folder_are_told_apart_by_name(base, log, home, tmp_path):
    """A Gemini session is one outside `chats` too, and none of Claude Code's."""
    copies = tmp_path / "copies"
    copies.mkdir()
    for path in (home / ".gemini").rglob("session-*"):
        shutil.copy(path, copies)
    assert _import(base, copies).found == len(list(copies.iterdir())) > 0
    assert {event.type for event in log.events()} == {"session.gemini"}


def test_what_was_imported_is_not_imported_again(base, log, home):
    """Nor what was moved to the archive, nor what was compressed there."""
    _import(base)
    before = len(log.bytes())
    assert _import(base).events == 0
    archived = home / ".codex/archived_sessions" / codex_path(home).name
    archived.parent.mkdir()
    os.rename(codex_path(home), archived)
    assert _import(base).events == 0
    packed = archived.with_name(archived.name + ".zst")
    packed.write_bytes(zstandard.ZstdCompressor().compress(archived.read_bytes()))
    assert _import(base).events == 0, "the plain file wins"
    archived.unlink()
    assert _import(base).events == 0
    assert len(log.bytes()) == before


def test_a_growing_file_is_followed_line_by_line(base, log, home):
    """What stands behind the cursor is read, the beginning of a line is left for later."""
    _import(base)
    path = codex_path(home)
    for number in range(3):
        line = json.dumps({"timestamp": stamp(20 + number), "type": "event_msg", "payload": {}})
        with open(path, "a", encoding="utf-8") as file:
            file.write(line[:20])
        assert _import(base).events == 0
        with open(path, "a", encoding="utf-8") as file:
            file.write(line[20:] + "\n")
        assert _import(base).events == 1
    positions = [event.data["position"] for event in _of(log, f"codex-{THREAD}")]
    assert positions == [f"{n:010d}" for n in range(9)]


def test_ids_do_not_depend_on_what_carries_the_line(base, log, home, tmp_path):
    """Another place, compression, carriage returns, a lost cursor: the same events again."""
    _import(base)
    before = _events(log)
    other = write(
        tmp_path / "copy" / codex_path(home).name,
        codex_path(home).read_bytes().splitlines(),
        end="\r\n",
    )
    packed = other.with_name(other.name + ".zst")
    packed.write_bytes(zstandard.ZstdCompressor().compress(other.read_bytes()))
    other.unlink()
    _import(base, packed)
    shutil.copytree(home / ".claude", tmp_path / "backup" / ".claude")
    _import(base, tmp_path / "backup" / ".claude" / "projects")
    (base / "db" / "import-cursors.ndjson").unlink()
    assert _import(base).events == len(before)
    after = _events(log)
    assert after.keys() == before.keys()
    assert all(after[one].data == before[one].data for one in before)


def test_a_line_is_the_same_event_wherever_it_stands_in_the_session(base, log, tmp_path):
    """Repeated in its file, or in one that begins later: by its bytes, not by its place."""
    project = tmp_path / "projects" / "p"
    write(project / f"{SESSION}.jsonl", [user(1), user(2), user(1)])
    _import(base, project)
    first = [event.id for event in log.events() if "line" in event.data]
    assert first == [first[0], first[1], first[0]]
    write(project / f"{SESSION}.jsonl", [user(2)])
    _import(base, project)
    assert [event.id for event in log.events() if "line" in event.data][3:] == [first[1]]


def test_a_file_that_was_replaced_is_read_from_its_beginning(base, log, home):
    """The cursor holds only where the bytes before it are those that it knows."""
    _import(base)
    before = set(_events(log))
    lines = codex_lines()
    lines[1]["payload"]["model"] = "another"
    write(codex_path(home), lines)
    _import(base)
    assert len(_events(log).keys() - before) == 1


def test_secrets_are_replaced_and_the_id_is_that_of_the_source(base, log, home, monkeypatch):
    """The same line under other rules of redaction is the same event."""
    secret = SECRETS[0][1]
    write(codex_path(home), [*codex_lines(), user(9, f"the key is {secret}")])
    _import(base)
    assert secret.encode() not in log.bytes()
    assert b"[redacted:" in log.bytes()
    before = set(_events(log))
    monkeypatch.setenv("TELEMETRY_REDACT", "off")
    (base / "db" / "import-cursors.ndjson").unlink()
    _import(base)
    assert set(_events(log)) == before


def test_without_content_the_texts_are_left_out(base, log, home):
    """Their sizes stand there; ids, names, times and usage stay."""
    write(codex_path(home), [])
    _import(base, content="none")
    text = log.bytes().decode()
    for word in ("fine", "a.py", "ls"):
        assert f'"{word}"' not in text
    answer = next(e.data["line"] for e in log.events() if e.data.get("position") == "0000000004")
    block = answer["message"]["content"][0]
    assert (block["id"], block["name"], block["input"]) == (
        "toolu_1",
        "Bash",
        {"command": "[2 characters]"},
    )
    assert answer["message"]["usage"]["output_tokens"] == 631
    assert answer["timestamp"] == stamp(2)


def test_only_what_was_written_lately_where_that_is_asked_for(base, log, home):
    """By the time of the file; the others are imported when they are asked for."""
    old = codex_path(home)
    os.utime(old, (1_000_000, 1_000_000))
    _import(base, since=2_000_000.0)
    assert not _of(log, f"codex-{THREAD}")
    _import(base)
    assert _of(log, f"codex-{THREAD}")


@pytest.mark.parametrize(
    "line",
    [
        b"42",
        b'"text"',
        b"{broken",
        b"\xff\xfe",
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"n":123456789012345678901234567890}',
        b'{"u":"\xe2\x80\xa8 and \\u0085"}',
        b'{"sessionId":7,"isSidechain":true,"agentId":[1],"timestamp":{},"message":null}',
    ],
)
def test_any_line_is_kept_and_harms_nothing(base, log, tmp_path, line):
    """As the object that it is, else as a text; the lines around it are what they were."""
    path = write(tmp_path / "x" / f"{SESSION}.jsonl", [user(1), line, b"", user(2)])
    for tool in all_tools().values():
        done = Importer(Base.at(base), Wanted([tool], [path])).run()
        assert (done.events, done.problems) == (3, [])
    assert log.torn() == []
    kept = [event.data["line"] for event in log.events()][1]
    assert kept == json.loads(line) if kept != line.decode("utf-8", "backslashreplace") else True


def test_a_session_that_resumed_another_owns_only_its_own_lines(base, log, tmp_path):
    """By what the line says, not by the name of the file."""
    path = write(
        tmp_path / "projects" / "p" / "new.jsonl",
        [user(1, session="old"), assistant(2, "m", session="old"), user(3, session="new")],
    )
    _import(base, path)
    runs = [event.run_id for event in log.events() if event.type == "session.claude-code"]
    assert runs == ["claude-code-old"] * 2 + ["claude-code-new"] * 2


def test_nothing_is_lost_where_the_log_cannot_be_written(base, log, home, monkeypatch):
    """The cursor stays; the next import has it all."""
    base.mkdir()
    (base / "raw").write_text("no directory")
    with pytest.raises((LogNotWritable, OSError)):
        _import(base)
    (base / "raw").unlink()
    done = _import(base)
    assert done.files == 6
    assert len(log.events()) >= done.events


def test_a_document_is_one_event_and_another_one_when_it_has_changed(base, log, home):
    """The older form of Gemini's sessions, over several lines; broken, it is left for later."""
    path = home / ".gemini/tmp/my-app/chats/session-2025-01-01T00-00-old.json"
    _import(base)
    (first,) = [e for e in _of(log, "gemini-old-1") if "line" in e.data]
    assert first.data["line"] == json.loads(path.read_text())
    path.write_text(path.read_text()[:-5])
    assert _import(base).events == 0
    path.write_text(json.dumps({"sessionId": "old-1", "startTime": stamp(0), "messages": []}))
    _import(base)
    assert len([e for e in _of(log, "gemini-old-1") if "line" in e.data]) == 2


def test_lines_before_any_time_wait_for_one(base, log, tmp_path):
    """A session that has only begun: its first lines come with the first that has a time."""
    path = write(tmp_path / "projects" / "p" / f"{SESSION}.jsonl", [{"type": "mode"}])
    assert _import(base, path).events == 0
    write(path, [{"type": "mode"}, user(7)])
    assert _import(base, path).events == 3
    assert {event.time[14:19] for event in log.events()} == {"00:07"}
    os.utime(write(tmp_path / "old.jsonl", [{"type": "mode"}]), (1, 1))
    assert _import(base, tmp_path / "old.jsonl").events > 0


def test_doctor_says_how_many_lines_were_not_understood(base, home, capsys):
    """With their kinds; where they are many, the format has changed."""
    _import(base)
    cli = Cli(base, capsys)
    findings = _findings(cli)
    assert [one["state"] for one in findings] == ["warning", "ok", "ok"]
    assert (
        "1 of 10 lines of claude-code were not understood: a-type-of-2027 (1)"
        in (findings[0]["what"])
    )
    write(home / ".claude/projects/p/many.jsonl", [user(n, session="many") for n in range(50)])
    _import(base)
    assert _findings(cli)[0]["state"] == "note"


def _findings(cli: Cli) -> list[dict[str, Any]]:
    cli("runs")
    return [one for one in cli("doctor", "--json").json["findings"] if one["topic"] == "ways_in"]

"""Code pages, line ends, reserved names, long and shared paths."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import COMMAND, in_process
from tests.support.process import environment

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="is about Windows")

_NAMES = [
    "con",
    "NUL",
    "aux:1",
    "com1.txt",
    "a\u00e9\u4e2d\U0001f600",
    "trailing. ",
    "a\\b/c",
    "*?",
]


def _record(base: Path, *agents: str) -> None:
    client = TelemetryClient(TelemetryConfig.for_base(base))
    for agent in agents:
        with client.track_run(agent, "job") as run:
            run.log_event("e", {"agent": agent})
    client.close()


def _raw(base: Path, *arguments: str, **variables: str) -> bytes:
    done = subprocess.run(
        [*COMMAND, "--base", str(base), *arguments],
        capture_output=True,
        timeout=60,
        env=environment(**variables),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_agents_may_be_called_whatever_windows_reserves(base: Path) -> None:
    """No file is named by an agent: what it calls itself is only data."""
    _record(base, *_NAMES)
    listed = in_process(base, "runs", "--json").json
    assert {run["agent_name"] for run in listed} == set(_NAMES)
    assert in_process(base, "show", "latest", "--json").code == 0
    exported = _raw(base, "export", "runs", "--format", "ndjson", "-o", "-").splitlines()
    assert {json.loads(line)["agent_name"] for line in exported} == set(_NAMES)
    assert in_process(base, "verify").code == 0


@pytest.mark.parametrize("arguments", [("runs", "--json"), ("sql", "SELECT * FROM agent_runs")])
def test_what_a_program_reads_is_utf_8_with_bare_newlines(
    base: Path, arguments: tuple[str, ...]
) -> None:
    """Whatever the code page, which has no letter for most of it."""
    _record(base, "a\u00e9\u4e2d")
    data = _raw(base, *arguments)
    assert "a\u00e9\u4e2d" in data.decode("utf-8")
    assert b"\r\r\n" not in data


def test_an_encoding_that_was_asked_for_is_kept(base: Path) -> None:
    """What it has no letter for is spelled out."""
    _record(base, "a\u00e9\u4e2d")
    data = _raw(base, "runs", "--json", PYTHONIOENCODING="cp1252")
    assert b"a\xe9\\u4e2d" in data


@pytest.mark.parametrize("name", ["a base", "b\u00e4se", "Base.with.dots", "100%TEMP%"])
def test_a_base_may_be_called_what_windows_allows(tmp_path: Path, name: str) -> None:
    """Recorded, read, rebuilt, backed up and verified."""
    base = tmp_path / name
    _record(base, "agent")
    for command in (["runs"], ["rebuild"], ["backup", "--with-log"], ["verify"], ["doctor"]):
        ran = in_process(base, *command)
        assert ran.code == 0, (command, ran)


@pytest.mark.parametrize(
    "spelled",
    [
        lambda path: str(path).swapcase(),
        lambda path: str(path).replace("\\", "/"),
        lambda path: "\\\\?\\" + str(path),
        lambda path: "\\\\?\\unix" + str(path)[2:].replace("C:", ""),
    ],
    ids=["other case", "slashes", "extended", "share"],
)
def test_a_base_is_the_same_however_it_is_spelled(tmp_path: Path, spelled) -> None:
    """Names differ in more than case; a share's server is part of the path."""
    base = tmp_path / "Base"
    _record(base, "agent")
    other = Path(spelled(base))
    if not other.exists():
        pytest.skip("this machine has no such spelling of a temporary directory")
    ran = in_process(other, "runs", "--json")
    assert [run["agent_name"] for run in ran.json] == ["agent"]

"""Runs the command line: in this process, in one of its own, and at a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from indexer.cli.main import run
from tests.support.process import environment

COMMAND = (sys.executable, "-m", "indexer")


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as a value."""
        return json.loads(self.out)


class Cli:
    """The command line on one base, in this process."""

    def __init__(self, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._base = base
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        """Run a command."""
        self._capsys.readouterr()
        code = run(["--base", str(self._base), *arguments])
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


def in_process(base: Path, *arguments: str, **variables: str) -> Ran:
    """Run a command in a process of its own, through pipes."""
    done = subprocess.run(
        [*COMMAND, "--base", str(base), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env=environment(**variables),
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def at_terminal(
    base: Path, *arguments: str, columns: int = 80, typed: str = "", **variables: str
) -> str:
    """Run a command at a terminal of a width; return all that appeared there."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm-256color", COLUMNS=str(columns), **variables),
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        # How Linux says that the other end is closed.
        pass
    finally:
        os.close(ours)
        process.wait(timeout=60)
    return shown.decode().replace("\r\n", "\n")

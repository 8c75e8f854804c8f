"""Runs Python in processes of its own, so that forks, signals and limits stay there."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with the repository importable, and `variables`."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **variables}


def start(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start `code` in a new interpreter with pipes for input and output."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def run(code: str, *arguments: str, timeout: float = 30, **variables: str) -> str:
    """Run `code` to its end; return what it printed. It must say nothing on stderr and exit 0."""
    process = start(code, *arguments, **variables)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, (process.returncode, out, err)
    assert err == "", err
    return out

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


def start(
    code: str, *arguments: str, through: tuple[str, ...] = (), **variables: str
) -> subprocess.Popen[str]:
    """Start `code` in a new interpreter with pipes; `through` another command, if given."""
    return subprocess.Popen(
        [*through, sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )


def run(
    code: str,
    *arguments: str,
    timeout: float = 30,
    through: tuple[str, ...] = (),
    **variables: str,
) -> str:
    """Run `code` to its end; return what it printed. It must say nothing on stderr and exit 0."""
    process = start(code, *arguments, through=through, **variables)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, (process.returncode, out, err)
    assert err == "", err
    return out

"""The child: a command run in a process of its own, with what it took.

Called by the sections that measure whole commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parents[2]
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    peak_bytes: int
    """Of memory, resident at once."""


def run_python(arguments: Sequence[str | Path], **variables: str) -> Cost:
    """Run Python with `arguments` in the checkout, silent. Raises CalledProcessError.

    Of our own variables it has only `variables`.
    """
    ours = ("TELEMETRY_", "METRICS_API_")
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env={**rest, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None  # a pipe was asked for
    told = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args, stderr=told)
    return Cost(seconds, usage.ru_maxrss * _RSS_UNIT)

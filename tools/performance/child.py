"""A command run in a process of its own, with what it took.

Called by the sections that measure whole commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 0.02


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    peak_bytes: int
    """Of memory, resident at once; 0 where the system does not tell."""
    processor_seconds: float
    """Of the command and of what it started and waited for. Unlike the time by the clock, it
    hardly depends on who else works on the machine."""


def run_python(arguments: Sequence[str | Path], **variables: str) -> Cost:
    """Run Python with `arguments` in the checkout, silent. Raises CalledProcessError.

    Of our own variables it has only `variables`.
    """
    ours = ("TELEMETRY_", "METRICS_API_")
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with tempfile.TemporaryFile() as errors:
        begun, used = time.perf_counter(), _processor_seconds()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            env={**rest, **variables},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        peak = _watch(child)
        seconds = time.perf_counter() - begun
        if child.returncode:
            errors.seek(0)
            raise subprocess.CalledProcessError(
                child.returncode, child.args, stderr=errors.read().decode(errors="replace")
            )
    return Cost(seconds, peak, _processor_seconds() - used)


def _processor_seconds() -> float:
    """Return what all children that ended took of the processor, the kernel's part included."""
    times = os.times()
    return times.children_user + times.children_system


def _watch(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child's end; return the most memory that it had."""
    peak = 0
    while True:
        peak = max(peak, _peak(child.pid))
        try:
            child.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _peak(pid: int) -> int:
    # Not from `wait4`: what that tells begins with what the parent had when it forked.
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)

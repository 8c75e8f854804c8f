"""File systems of a test's own: mounted where no other process sees them, gone with it."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

_PRIVATE = ("unshare", "--mount", "--propagation", "private")


def private_mounts() -> tuple[str, ...]:
    """The command through which a process gets mounts of its own; skips where nobody may."""
    if not _can_mount():
        pytest.skip("needs root on Linux, to mount file systems of its own")
    return _PRIVATE


def mount(path: Path, *options: str) -> None:
    """Mount something on `path`, by a process that has mounts of its own."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(path)], check=True, capture_output=True)


@lru_cache(maxsize=1)
def _can_mount() -> bool:
    if sys.platform != "linux":
        return False
    command = [*_PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

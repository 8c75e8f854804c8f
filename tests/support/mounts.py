"""File systems of a test's own: mounted where no other process sees them, gone with it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest

_PRIVATE = ("unshare", "--mount", "--propagation", "private")


def private_mounts() -> tuple[str, ...]:
    """The command through which a process gets mounts of its own; skips where nobody may."""
    if not can_mount():
        pytest.skip("needs root on Linux, to mount file systems of its own")
    return _PRIVATE


def mount(path: Path, *options: str) -> None:
    """Mount something on `path`, by a process that has mounts of its own."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(path)], check=True, capture_output=True)


@lru_cache(maxsize=1)
def can_mount() -> bool:
    """Whether this machine lets us have mounts of our own."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return False
    command = [*_PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Namespace:
    """A mount namespace while its process lives."""

    def __init__(self, pid: int) -> None:
        self.enter = ("nsenter", "-m", "-t", str(pid), "--")
        """What a command line begins with that is to run inside."""

    def run(self, *command: object) -> str:
        """Run a command inside; return what it printed. It must exit 0."""
        done = subprocess.run(
            [*self.enter, *map(str, command)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new mount namespace for the length of a block."""
    holder = subprocess.Popen(
        [*_PRIVATE, "sh", "-c", "echo ready; exec sleep 3600"], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield Namespace(holder.pid)
    finally:
        holder.kill()
        holder.communicate()

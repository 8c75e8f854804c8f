"""Mounts that nobody else sees: a process in a mount namespace of its own, and commands in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def may_mount() -> bool:
    """Whether this machine lets us have a namespace with mounts of our own."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return False
    mount = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


class Namespace:
    """A mount namespace for as long as its process lives."""

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
        ["unshare", "-m", "sh", "-c", "echo ready; exec sleep 3600"], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield Namespace(holder.pid)
    finally:
        holder.kill()
        holder.communicate()

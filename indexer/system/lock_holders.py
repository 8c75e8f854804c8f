"""Which processes hold a lock on a file, so that an error can name them.

Reads the kernel's list of locks; where there is none, nobody is named.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def lock_holders(*paths: Path) -> list[str]:
    """Return the processes that hold a lock on one of the files, as `process PID (NAME)`."""
    if sys.platform != "linux":
        return []
    inodes = set()
    for path in paths:
        try:
            inodes.add(os.stat(path).st_ino)
        except OSError:
            continue
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    holders = set()
    for line in lines:
        # As in `1: POSIX  ADVISORY  READ 4242 08:01:1234 1073741826 1073742335`; waiters have `->`.
        fields = line.split()
        if "->" in fields or len(fields) < 6:
            continue
        pid, inode = fields[4], fields[5].rpartition(":")[2]
        if inode.isdecimal() and int(inode) in inodes and pid.isdecimal():
            holders.add(int(pid))
    holders.discard(os.getpid())
    return [f"process {pid} ({_name(pid)})" for pid in sorted(holders)]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "unknown"

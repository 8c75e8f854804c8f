"""A directory tree as it is, to be compared with a later look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def snapshot(directory: Path) -> dict[str, Any]:
    """Every path below a directory with its mode, its content and when it was last changed."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        status = os.lstat(path)
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found

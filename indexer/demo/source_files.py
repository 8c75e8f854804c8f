"""The Python files that the demo parses, and how they are divided among agents.

It looks at names and sizes and opens no file.
"""

from __future__ import annotations

import os
import stat
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

_LEFT_OUT = frozenset(("site-packages", "dist-packages", "node_modules", "__pycache__"))


class SourceFile(NamedTuple):
    """One file to parse."""

    path: str
    size: int


def standard_library() -> Path:
    """Return the directory of the interpreter's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def find_files(path: Path) -> tuple[Path, list[SourceFile]]:
    """Return the root directory and the files in it, package by package.

    `path` may be one file. Installed packages, caches and hidden directories are left out.
    """
    if not path.is_dir():
        found = _source_file(str(path))
        return path.parent, [] if found is None else [found]
    files = sorted(_walk(str(path)), key=lambda file: _package_first(str(path), file))
    return path, files


def divide(files: Sequence[SourceFile], shares: int) -> list[list[SourceFile]]:
    """Divide files into at most `shares` groups of neighbours of about the same size."""
    total = sum(file.size for file in files) + len(files)
    divided: list[list[SourceFile]] = [[] for _ in range(min(shares, len(files)))]
    done = 0
    for file in files:
        divided[min(done * shares // total, len(divided) - 1)].append(file)
        done += file.size + 1
    return [share for share in divided if share]


def sample(files: Sequence[SourceFile], count: int) -> list[SourceFile]:
    """Return at most `count` of the files, evenly spread."""
    step = -(-len(files) // count)
    return list(files[::step])


def _walk(root: str) -> Iterator[SourceFile]:
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _LEFT_OUT and not name.startswith(".")]
        for name in files:
            if name.endswith(".py"):
                found = _source_file(os.path.join(directory, name))
                if found is not None:
                    yield found


def _source_file(path: str) -> Optional[SourceFile]:
    try:
        status = os.stat(path)
    except OSError:
        return None
    # A pipe named *.py would make its agent wait forever.
    return SourceFile(path, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _package_first(root: str, file: SourceFile) -> tuple[bool, str]:
    inside = file.path[len(root) :].lstrip(os.sep)
    return os.sep in inside, inside

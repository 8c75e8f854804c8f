"""Write files for people: exports and reports.

Such a file appears under its name complete or not at all, and every failure to write one comes
with a next step.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from glob import escape
from pathlib import Path
from typing import BinaryIO

from indexer.system.atomic_file import atomic_file, sweep_abandoned
from telemetry_core.errors import TelemetryError
from telemetry_core.storage import make_directory

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NotWritten(TelemetryError):
    """A file could not be written; nothing of it exists under its name."""


def dated_path(directory: Path, stem: str, suffix: str) -> Path:
    """Return an unused name with the time (UTC) in it; the directory is created if missing."""
    with _translated(directory):
        make_directory(directory)
    sweep_abandoned(directory, f"{escape(stem)}_*{escape(suffix)}")
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path, number = directory / f"{stem}_{moment}{suffix}", 1
    while path.exists():
        number += 1
        path = directory / f"{stem}_{moment}-{number}{suffix}"
    return path


@contextmanager
def output_file(path: Path, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Give a file to write that takes its place at `path` when the block ends well.

    An existing file is replaced, or with `overwrite` false is an error. What is not a regular
    file (a pipe, `/dev/stdout`) is written to directly. Raises NotWritten.
    """
    with _translated(path):
        if _is_special(path):
            with open(path, "wb") as file:
                yield file
            return
        # A symbolic link stays one: its target is written.
        with atomic_file(Path(os.path.realpath(path)), overwrite=overwrite) as file:
            yield file


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # A reader that has read enough is no error.
        raise
    except OSError as error:
        failed = NotWritten(f"cannot write {path}: {error.strerror or error}")
        failed.hint = (
            "Free some space and try again; nothing was written"
            if error.errno in _FULL
            else "Choose another path with --output"
        )
        raise failed from error


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False

"""The placed file: a file that stands under its name whole, or not at all.

Called by whatever makes files for people: exports and reports. It is written under a temporary
name beside its place, mode 0600, and moved there when all of it is on the disk.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from glob import escape
from pathlib import Path
from typing import BinaryIO

from telemetry_core.errors import TelemetryError
from telemetry_core.storage import make_directory

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ABANDONED_SECONDS = 86_400.0
"""Without a write for as long, a temporary file is nobody's."""


class NotWritten(TelemetryError):
    """A file could not be made; nothing of it stands under its name."""


def dated_path(directory: Path, stem: str, suffix: str) -> Path:
    """Return a free name with the time (UTC) in it; the directory is made if it is not there."""
    with _translated(directory):
        make_directory(directory)
    _sweep(directory, f"{escape(stem)}_*{escape(suffix)}")
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path, number = directory / f"{stem}_{moment}{suffix}", 1
    while path.exists():
        number += 1
        path = directory / f"{stem}_{moment}-{number}{suffix}"
    return path


@contextmanager
def placed_file(path: Path, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Give a file to write, which takes its place if the block ends well.

    What stands there already goes, or with `overwrite` false stays and is an error. What is no
    regular file (a pipe, `/dev/stdout`) is written to as it is. Raises NotWritten.
    """
    with _translated(path):
        if _is_special(path):
            with open(path, "wb") as file:
                yield file
            return
        # A link stays a link: what it leads to is written.
        path = Path(os.path.realpath(path))
        _sweep(path.parent, escape(path.name))
        descriptor, partial = tempfile.mkstemp(".partial", f"{path.name}.", path.parent)
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _put(partial, path, overwrite)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial)
            raise


def _sweep(directory: Path, names: str) -> None:
    """Delete what those who were killed left under temporary names, for files named like these."""
    for partial in directory.glob(f"{names}.????????.partial"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()


def _put(partial: str, path: Path, overwrite: bool) -> None:
    if not overwrite:
        try:
            # Unlike a rename, it never takes the place of a file: another process may have
            # chosen the same name in the same second.
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links.
            pass
        else:
            os.unlink(partial)
            return
    os.replace(partial, path)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # A reader that has read enough is no error.
        raise
    except OSError as error:
        failed = NotWritten(f"{path} can't be written: {error.strerror or error}")
        failed.hint = (
            "Free some space and try again: nothing was put in its place"
            if error.errno in _FULL
            else "Name another place with --output"
        )
        raise failed from error


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False

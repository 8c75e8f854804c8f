"""Replace files atomically: readers see the old bytes or the new ones, never a part.

Every file that is created or replaced under its final name goes through here: notes, generated
files, exports, archives, backups, a rebuilt database. Never the log that writers append to. What
was written is on the disk before it takes its place, and so is the directory entry after.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

from indexer.system.file_changes import delete, rename, replace
from telemetry_core.append_file import sync_path

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_ABANDONED_SECONDS = 86_400.0
"""A temporary file that was not written to for this long belongs to no living process."""


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path`, mode 0600. Raises OSError; then the old file is unchanged.

    What means nothing after a power cut, such as the note of a living process, need not be
    `durable`.
    """
    with atomic_file(path, durable=durable) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = True, durable: bool = True) -> Iterator[BinaryIO]:
    """Give a file to write, mode 0600, that takes its place at `path` when the block ends well.

    With `overwrite` false an existing file raises FileExistsError and stays. Raises OSError.
    """
    sweep_abandoned(path.parent, escape(path.name))
    # Not by tempfile, which is slow to import: every command that takes a lease comes here.
    partial = path.with_name(f"{path.name}.{os.urandom(4).hex()}.partial")
    descriptor = os.open(partial, _NEW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if not overwrite:
            link_into_place(partial, path)
        elif durable:
            move_into_place(partial, path)
        else:
            replace(partial, path)
    except BaseException:
        delete(partial)
        raise


def move_into_place(temporary: Path, path: Path) -> None:
    """Rename a finished file, already synced, to `path`, over what is there. Raises OSError."""
    replace(temporary, path)
    sync_path(path.parent)


def link_into_place(temporary: Path, path: Path) -> None:
    """Rename a finished file, already synced, to `path`, unless that exists.

    Unlike a rename it never takes the place of a file that another process made meanwhile.
    Raises FileExistsError, or another OSError.
    """
    if sys.platform == "win32":
        # There, a rename never takes another file's place.
        rename(temporary, path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: nearly as good.
        if path.exists():
            raise FileExistsError(f"{path} exists") from None
        os.replace(temporary, path)
    else:
        os.unlink(temporary)
    sync_path(path.parent)


def sweep_abandoned(directory: Path, names: str) -> None:
    """Delete the temporary files of killed processes, for files that match the glob `names`."""
    for partial in directory.glob(f"{names}.????????.partial"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()

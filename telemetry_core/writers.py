"""Keep this process's writers, one for each directory, through forks and to the end.

Called by everything that appends to the log.
"""

from __future__ import annotations

import atexit
import os
from pathlib import Path

from telemetry_core.storage import absolute
from telemetry_core.writer import Writer

_WRITERS: dict[str, Writer] = {}


def writer_for(directory: Path, host: str) -> Writer:
    """Return the process's one writer for `directory`.

    Only one, because two descriptors of one process would lock each other out.
    """
    path = absolute(str(directory))
    # Where names differ in more than case only: one directory, however it is spelled.
    key = os.path.normcase(path)
    writer = _WRITERS.get(key)
    return writer or _WRITERS.setdefault(key, Writer(path, host))


def all_writers() -> list[Writer]:
    """Return every writer of this process."""
    return list(_WRITERS.values())


def _after_fork() -> None:
    for writer in all_writers():
        writer.after_fork()


def _at_exit() -> None:
    for writer in all_writers():
        writer.close(budget=1.0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)

"""What a test may need of the platform beyond Python: `@pytest.mark.needs("fork", "root")`."""

from __future__ import annotations

import os
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, NamedTuple

_POSIX = os.name == "posix"


class Need(NamedTuple):
    """Something that is not everywhere."""

    is_met: Callable[[], bool]
    reason: str
    """Why a test is skipped without it."""


NEEDS = {
    "fork": Need(lambda: hasattr(os, "fork"), "needs fork"),
    "signals": Need(lambda: _POSIX, "needs POSIX signals"),
    "modes": Need(lambda: _POSIX, "needs file modes"),
    "paths": Need(lambda: _POSIX, "is about POSIX paths and what may lie under them"),
    "limits": Need(lambda: _POSIX, "needs limits on files, descriptors or memory"),
    "open-moves": Need(lambda: _POSIX, "moves or deletes what is open, which Windows refuses"),
    "symlinks": Need(lambda: _POSIX, "needs symbolic links, which not everybody may make"),
    "fifo": Need(lambda: hasattr(os, "mkfifo"), "needs named pipes in the file system"),
    "proc": Need(lambda: sys.platform == "linux", "needs /proc"),
    "mounts": Need(lambda: sys.platform == "linux", "needs Linux's mounts and namespaces"),
    "descriptors": Need(lambda: sys.platform == "linux", "counts or reuses descriptors"),
    "time-zones": Need(lambda: hasattr(time, "tzset"), "changes its time zone"),
    "inotify": Need(lambda: sys.platform == "linux", "is about inotify"),
    "root": Need(lambda: _POSIX and os.geteuid() == 0, "needs root"),
    "terminal": Need(lambda: find_spec("pty") is not None and _POSIX, "needs a pseudo-terminal"),
    "shell": Need(lambda: _POSIX, "needs a POSIX shell"),
    "gzip": Need(lambda: _POSIX, "needs the gzip command"),
    "unix-sockets": Need(lambda: _POSIX, "needs Unix sockets"),
    "clickhouse": Need(
        lambda: find_spec("chdb") is not None,
        "needs chdb-core: pip install 'local-telemetry[fleet-test]'",
    ),
    "git": Need(lambda: shutil.which("git") is not None, "needs git"),
}
"""By the word that `@pytest.mark.needs` uses."""


def fifo(path: Path) -> None:
    """Make a named pipe."""
    if sys.platform != "win32":
        os.mkfifo(path)


def missing(needs: tuple[str, ...]) -> list[str]:
    """Return the reasons why a test with these needs can't run here; none where it can."""
    return [NEEDS[need].reason for need in needs if not NEEDS[need].is_met()]

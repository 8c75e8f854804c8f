"""Show a progress bar on stderr: what is done, the rate, and the time left.

Used by the commands that read much of the log or the database. Nothing is shown if stderr is not
a terminal, or if the work is done within half a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

from indexer.ingest.backlog import take_backlog
from indexer.log.segments import list_segments
from indexer.store.connection import reading
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError

_PATIENCE_SECONDS = 0.5


@contextmanager
def byte_progress(what: str, total: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with each number of bytes done, of about `total()`."""
    with _Bar(what, total, _byte_columns) as bar:
        yield bar.advance


@contextmanager
def row_progress(what: str, total: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with each number of rows done.

    `total` is called only if a bar is shown, because counting takes time as well.
    """
    with _Bar(what, total, _row_columns) as bar:
        yield bar.advance


def log_size(base: Base) -> int:
    """Return the size of the whole log on disk."""
    return sum(file.size for file in list_segments(base.log_directory))


def unread_size(base: Base) -> int:
    """Return how many bytes of the log are not indexed."""
    try:
        with reading(base.database_path) as connection:
            return take_backlog(connection, base.log_directory).lag_bytes
    except TelemetryError:
        # No database yet, or none that can be read: the next one takes in the whole log.
        return log_size(base)


class _Bar:
    """A bar that appears only once the work has taken some time."""

    def __init__(
        self, what: str, total: Callable[[], int], columns: Callable[[], list[Any]]
    ) -> None:
        self._what = what
        self._total = total
        self._columns = columns
        self._done = 0
        self._show_at = time.monotonic() + _PATIENCE_SECONDS
        self._wanted = sys.stderr.isatty()
        self._progress: Optional[Any] = None
        self._task: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress.update(self._task, completed=self._done)
        elif self._wanted and time.monotonic() >= self._show_at:
            self._start()

    def _start(self) -> None:
        # Imported here: rich is large, and most passes end before a bar is shown.
        from rich import progress
        from rich.console import Console

        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            *self._columns(),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(
            self._what, total=max(self._total(), self._done), completed=self._done
        )
        self._progress.start()


def _byte_columns() -> list[Any]:
    from rich import progress

    return [progress.DownloadColumn(), progress.TransferSpeedColumn()]


def _row_columns() -> list[Any]:
    from rich import progress

    return [progress.MofNCompleteColumn()]

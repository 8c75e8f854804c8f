"""Renaming, replacing and deleting files that other programs may have open.

Called wherever one of our files is renamed or deleted. On Windows that fails while anybody
has the file open: a virus scanner, an editor, a backup program, a reader. Most let go within a
moment, so it is tried again for a while; then the error says what to do, and the file is as it
was. Elsewhere these are the system's own calls.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Callable, Union

from telemetry_core.errors import TelemetryError

BUDGET_SECONDS = 2.0
"""How long another program's handle is waited for."""

AnyPath = Union[str, Path]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1


class FileHeldOpen(TelemetryError, PermissionError):
    """Another program has a file open, and did not close it in time; nothing was changed."""

    hint = "Close what has it open (an editor, a backup, a virus scanner) and try again"


def replace(source: AnyPath, target: AnyPath, budget: float = BUDGET_SECONDS) -> None:
    """Give `source` the name `target`, whose file goes. Raises FileHeldOpen or OSError."""
    _patiently(lambda: os.replace(source, target), (source, target), budget)


def rename(source: AnyPath, target: AnyPath, budget: float = BUDGET_SECONDS) -> None:
    """Give `source` the name `target`, which is free. Raises FileHeldOpen or OSError."""
    _patiently(lambda: os.rename(source, target), (source,), budget)


def delete(path: AnyPath, budget: float = BUDGET_SECONDS) -> None:
    """Delete a file; one that is not there is no error. Raises FileHeldOpen or OSError."""
    try:
        _patiently(lambda: os.unlink(path), (path,), budget)
    except FileNotFoundError:
        pass


def check_not_held(path: AnyPath, budget: float = BUDGET_SECONDS) -> None:
    """See that nobody has a file open in a way that keeps it from being deleted.

    Raises FileHeldOpen or OSError. Always well where an open file can be deleted.
    """
    # Under its own name already: it needs the same right as a deletion, and changes nothing.
    rename(path, path, budget)


if sys.platform == "win32":
    import _winapi

    _ERROR_ACCESS_DENIED, _ERROR_SHARING_VIOLATION, _ERROR_LOCK_VIOLATION = 5, 32, 33
    _OPEN_EXISTING = 3

    def _patiently(change: Callable[[], None], paths: tuple[AnyPath, ...], budget: float) -> None:
        deadline = time.monotonic() + budget
        pause = _FIRST_PAUSE
        while True:
            try:
                change()
            except PermissionError as error:
                if time.monotonic() < deadline:
                    time.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    continue
                held = next((path for path in paths if _is_held(path)), None)
                if held is None:
                    raise
                raise FileHeldOpen(f"{held} is open in another program") from error
            return

    def _is_held(path: AnyPath) -> bool:
        """Whether somebody has a file open; a missing permission looks the same to a change."""
        try:
            handle = _winapi.CreateFile(
                os.fspath(path), _winapi.GENERIC_READ, 0, 0, _OPEN_EXISTING, 0, 0
            )
        except OSError as error:
            return error.winerror in (_ERROR_SHARING_VIOLATION, _ERROR_LOCK_VIOLATION)
        _winapi.CloseHandle(handle)
        return False

else:

    def _patiently(
        change: Callable[[], None],
        paths: tuple[AnyPath, ...],  # noqa: ARG001  # Windows asks who holds them
        budget: float,  # noqa: ARG001  # Windows waits for them
    ) -> None:
        change()

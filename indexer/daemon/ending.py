"""Ask the daemon to end, by signals, Ctrl-C, Ctrl-Break, or the end of a Windows session.

Called by the daemon's loop. It decides nothing: the loop ends after its batch.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from indexer.system.wakeup import Wakeup

_SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK")


@contextmanager
def asked_to_end(stop: Callable[[], None], wakeup: Wakeup) -> Iterator[None]:
    """Have `stop` called when somebody asks the process to end, for the length of a block.

    Only a process's main thread hears signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for name in _SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop())
    with wakeup.set_by_signals(), _session_end(stop):
        yield


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _SESSION_ENDS = (2, 5, 6)
    """The console is closed, the user logs off, the system shuts down."""
    _GRACE_SECONDS = 4.5
    """Windows waits for five."""

    class SessionEnd:
        """Windows' announcement that the session ends."""

        def __init__(self, stop: Callable[[], None]) -> None:
            self._stop = stop
            self._ended = threading.Event()

        def handle(self, event: int) -> bool:
            """Ask the daemon to end, and return once it has: then Windows ends the process."""
            if event not in _SESSION_ENDS:
                return False
            self._stop()
            self._ended.wait(_GRACE_SECONDS)
            return True

        def ended(self) -> None:
            """Say that the daemon has ended."""
            self._ended.set()

    @contextmanager
    def _session_end(stop: Callable[[], None]) -> Iterator[None]:
        end = SessionEnd(stop)
        # Windows calls it from a thread of its own, while it is registered.
        handler = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)(end.handle)
        kernel = ctypes.WinDLL("kernel32")
        kernel.SetConsoleCtrlHandler(handler, True)
        try:
            yield
        finally:
            end.ended()
            kernel.SetConsoleCtrlHandler(handler, False)

else:

    @contextmanager
    def _session_end(stop: Callable[[], None]) -> Iterator[None]:  # noqa: ARG001  # SIGTERM comes
        yield

"""Wake the daemon's loop from any thread or signal handler.

A lost wakeup costs nothing but time, for the loop makes a pass anyway.
"""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class Wakeup:
    """A flag that can be waited for.

    Made of a socket pair rather than threading.Event: a signal handler that sets an Event
    while the loop is clearing it waits for ever for a lock that its own thread holds.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)

    def set(self) -> None:
        """Wake the loop if it waits, or else at its next wait."""
        try:
            self._sender.send(b"!")
        except OSError:
            # The buffer is full, so a wakeup is due already; or the daemon is gone.
            return

    @contextmanager
    def set_by_signals(self) -> Iterator[None]:
        """Have every signal set it, for the length of a block; in the main thread only.

        On Windows a signal does not interrupt a wait.
        """
        before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)

    def wait(self, seconds: float) -> bool:
        """Wait until set, at most `seconds`; clear it, and say whether it was set."""
        ready, _, _ = select.select([self._receiver], [], [], seconds)
        if not ready:
            return False
        try:
            while self._receiver.recv(4096):
                pass
        except BlockingIOError:
            pass
        return True

    def close(self) -> None:
        """Close both ends."""
        self._receiver.close()
        self._sender.close()

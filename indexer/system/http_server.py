"""A uvicorn server that stops when told to and is quiet while nobody asks.

The page and the OTLP receiver are both one of these. Importing this file needs uvicorn, which
the extras `ui` and `receive` bring.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Optional

import uvicorn

_TICK_SECONDS = 1.0
_ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class StoppableServer(uvicorn.Server):
    """A server that looks at its clock once a second and leaves when it is asked to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving: Optional[asyncio.Event] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn's own loop ticks ten times a second, which costs a percent."""
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        # Every tenth tick of uvicorn's sets the date header.
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_SECONDS)

    def stop(self) -> None:
        """Have the server end. Callable from signal handlers and other threads."""
        self.should_exit = True
        if self._loop is not None and self._leaving is not None:
            # The loop may be closed already: then the server has ended.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._leaving.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have Ctrl-C, SIGTERM and a closed terminal end the server well, and not again later."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _ENDING_SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens at an address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # Without it another user's program may bind the port as well, and get our callers.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # A port is free although connections of the last server linger.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener

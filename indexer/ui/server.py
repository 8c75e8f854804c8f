"""Run uvicorn on a loopback address, bounded, and quiet while nobody asks.

Called by the command line. It ends within a second of SIGTERM or Ctrl-C, streams included.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 64
_HEAD_SECONDS = 10.0
"""How long a client may take to send a whole request."""
_HEAD_BYTES = 16_384
_TICK_SECONDS = 1.0


class BoundedProtocol(H11Protocol):
    """One connection, closed if its request does not come in time or there are too many."""

    _overdue: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or close it if there are enough."""
        super().connection_made(transport)
        if len(self.connections) > 2 * MOST_CONNECTIONS:
            transport.abort()
            return
        self._watch_clock()

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that is whole stops the clock."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._watch_clock()
        else:
            self._stop_clock()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Forget the connection."""
        self._stop_clock()
        super().connection_lost(exc)

    def _watch_clock(self) -> None:
        if self._overdue is None:
            self._overdue = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


class PageServer(uvicorn.Server):
    """A server that looks at its clock once a second and leaves when it is asked to."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit
        self._leaving: Optional[asyncio.Event] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn's own loop ticks ten times a second, which costs a percent."""
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        # Every tenth tick of uvicorn's sets the date header.
        while not await self.on_tick(0):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_SECONDS)
        self._on_exit()

    def stop(self) -> None:
        """Have the server end. Callable from signal handlers and other threads."""
        self.should_exit = True
        if self._loop is not None and self._leaving is not None:
            self._loop.call_soon_threadsafe(self._leaving.set)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have Ctrl-C, SIGTERM and a closed terminal end the server well, and not again later."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_server(app: ASGIApp, on_exit: Callable[[], None]) -> PageServer:
    """Return a server of `app`; `on_exit` is called when it begins to end."""
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="warning",
        # The address may hold a token.
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    return PageServer(config, on_exit)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a loopback address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # On Windows it would let two servers share the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MOST_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener

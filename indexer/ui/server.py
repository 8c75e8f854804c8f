"""Run uvicorn on a loopback address, bounded, and quiet while nobody asks.

Called by the command line. It ends within a second of SIGTERM or Ctrl-C, streams included.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Optional

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from indexer.system.http_server import StoppableServer

MOST_CONNECTIONS = 64
_HEAD_SECONDS = 10.0
"""How long a client may take to send a whole request."""
_HEAD_BYTES = 16_384


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


class PageServer(StoppableServer):
    """A server that ends its streams before it waits for its connections."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    async def main_loop(self) -> None:
        """Wait for the end, and say that it has come."""
        await super().main_loop()
        self._on_exit()


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

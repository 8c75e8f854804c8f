"""Serve one socket, bounded in connections and in time, in this thread or in its own.

Called by `telemetry receive` and by the daemon.
"""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import opentelemetry.proto  # noqa: F401  # without it every protobuf request would be refused
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from indexer.receivers.access import Access
from indexer.receivers.app import Receiver
from indexer.system.base import Base
from indexer.system.http_server import StoppableServer, listen

PORT = 4318
"""OTLP/HTTP's own."""
MOST_CONNECTIONS = 256
_HEAD_SECONDS = 10.0
"""How long a client may take to send the head of a request."""
_HEAD_BYTES = 16_384
_IDLE_SECONDS = 75


class _Protocol(H11Protocol):
    """One connection; closed when there are too many, or when its request does not come."""

    _clock: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._clock = self.loop.call_later(_HEAD_SECONDS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.abort()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)


class ReceiverServer(StoppableServer):
    """A server that can be stopped from anywhere, and is quiet while nobody sends."""

    def __init__(self, base: Base, host: str, port: int, token: str = "") -> None:
        """Listen at an address. Raises ValueError for one that is not allowed, or OSError."""
        self._socket = listen(host, port, MOST_CONNECTIONS)
        self.port: int = self._socket.getsockname()[1]
        try:
            access = Access(host, self.port, token)
        except ValueError:
            self._socket.close()
            raise
        self.receiver = Receiver(base, access)
        super().__init__(
            uvicorn.Config(
                self.receiver,
                http=_Protocol,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=_HEAD_BYTES,
            )
        )

    def serve_here(self) -> None:
        """Answer requests until SIGTERM, Ctrl-C or `stop`."""
        self.run(sockets=[self._socket])

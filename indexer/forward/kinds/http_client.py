"""An HTTP client for one target, replaced after every attempt that did not end in an answer.

The connection pool of httpx loses track of a connection when an attempt is cancelled at the wrong
moment: while the connection is handed over, or while it is being closed. From then on it counts
as active, and its slot is lost. So no attempt ever waits for a slot (the circuit breaker bounds
what is in flight), and a client that an attempt left in the middle gets no further attempts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Callable, Optional

import httpx

from indexer.outbox.target import Target
from telemetry_core import __version__


class ReplaceableClient:
    """A client shared by the attempts of one target."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        """`make` is called once here, and again for each replacement. Raises what it raises."""
        self._make = make
        self._current: Optional[httpx.AsyncClient] = make()
        self._users: dict[httpx.AsyncClient, int] = {self._current: 0}

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[httpx.AsyncClient]:
        """Give the client for one attempt; an exception, cancellation included, retires it.

        Attempts that share it meanwhile keep it; the last of them closes it.
        """
        client = self._acquire()
        try:
            yield client
        except BaseException:
            if client is self._current:
                self._current = None
            raise
        finally:
            self._users[client] -= 1
            if client is not self._current and not self._users[client]:
                del self._users[client]
                await client.aclose()

    async def close(self) -> None:
        """Close all connections, those of retired clients too."""
        self._current = None
        for client in list(self._users):
            await client.aclose()

    def _acquire(self) -> httpx.AsyncClient:
        if self._current is None:
            self._current = self._make()
            self._users[self._current] = 0
        self._users[self._current] += 1
        return self._current


def client_to(target: Target) -> ReplaceableClient:
    """Return the client for a target. Raises anything, where the environment makes no sense."""
    # Made once: reading the certificates takes longer than many an attempt.
    context = httpx.create_ssl_context()
    return ReplaceableClient(
        lambda: httpx.AsyncClient(
            headers={"Accept-Encoding": "identity", "User-Agent": f"local-telemetry/{__version__}"},
            follow_redirects=False,
            # The sender's deadline is for the whole of an attempt; these only make it shorter.
            timeout=target.timeout,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=target.in_flight),
            verify=context,
        )
    )

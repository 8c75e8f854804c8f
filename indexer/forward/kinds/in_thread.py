"""Attempts that block are made in a thread of the channel's own, one after the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import Parcel


class ThreadTransport:
    """Makes each attempt by a function that blocks, and has to end by itself."""

    def __init__(self, attempt: Callable[[Parcel], AttemptResult]) -> None:
        self._attempt = attempt
        self._thread = ThreadPoolExecutor(1, "channel")

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Make one attempt."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._attempt, parcel)

    async def close(self) -> None:
        """End the thread, once what it does has ended."""
        self._thread.shutdown(wait=False)

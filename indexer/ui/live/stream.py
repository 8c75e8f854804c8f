"""Send changes to a browser at once, as server-sent events.

Called by the application for `/events`. It carries facts (which runs changed), never pages.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Optional

import orjson

from indexer.ui.live.changes import Change
from indexer.ui.live.watch import Watch

MOST_STREAMS = 32
_MOST_WAITING = 100
_COMMENT_SECONDS = 20.0


class Stream:
    """Everybody who listens, and the last thing said."""

    def __init__(self, watch: Callable[[Stream], Watch]) -> None:
        """`watch` makes what looks for changes, and is given who is told."""
        self._watcher = watch(self)
        self._clients: set[asyncio.Queue[Optional[bytes]]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._boot = secrets.token_hex(4)
        self._count = 0
        self._is_asleep = False
        self._is_closed = False

    @property
    def position(self) -> str:
        """What the last message was: a page drawn now has all up to it."""
        return f"{self._boot}-{self._count}"

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._clients)

    @property
    def is_full(self) -> bool:
        """Whether no more may connect."""
        return len(self._clients) >= MOST_STREAMS

    def publish(self, change: Change) -> None:
        """Tell everybody what changed. Called by the watcher's thread."""
        if change.runs is None:
            self._tell("many", b"[]")
        elif change.runs:
            self._tell("runs", orjson.dumps(change.runs))

    def publish_asleep(self, is_asleep: bool) -> None:
        """Tell everybody whether nobody indexes, if that changed."""
        if is_asleep != self._is_asleep:
            self._is_asleep = is_asleep
            self._tell("asleep", orjson.dumps(is_asleep))

    async def messages(self, seen: str) -> AsyncIterator[bytes]:
        """Yield what one browser hears, from now on; `seen` is the position that it has."""
        waiting: asyncio.Queue[Optional[bytes]] = asyncio.Queue(_MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._clients.add(waiting)
        self._watcher.wake()
        try:
            yield b"retry: 1000\n\n" + self._greeting(seen)
            while not self._is_closed:
                try:
                    message = await asyncio.wait_for(waiting.get(), _COMMENT_SECONDS)
                except asyncio.TimeoutError:
                    message = b":\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._clients.discard(waiting)

    def close(self) -> None:
        """End all streams. Called on the loop."""
        self._is_closed = True
        for client in self._clients:
            _offer(client, None)
        self._watcher.close()

    def _greeting(self, seen: str) -> bytes:
        asleep = _message("asleep", orjson.dumps(self._is_asleep), self.position)
        return asleep if seen == self.position else asleep + _message("many", b"[]", self.position)

    def _tell(self, kind: str, data: bytes) -> None:
        self._count += 1
        message = _message(kind, data, self.position)
        if self._loop is not None and not self._is_closed:
            self._loop.call_soon_threadsafe(self._offer_all, message)

    def _offer_all(self, message: bytes) -> None:
        for client in self._clients:
            _offer(client, message)


def _offer(client: asyncio.Queue[Optional[bytes]], message: Optional[bytes]) -> None:
    """Put a message into a queue; one that is full becomes "fetch all that is shown"."""
    if client.full():
        while not client.empty():
            client.get_nowait()
        message = message and _message("many", b"[]", "")
    client.put_nowait(message)


def _message(kind: str, data: bytes, position: str) -> bytes:
    name = f"id: {position}\n" if position else ""
    return f"{name}event: {kind}\ndata: ".encode() + data + b"\n\n"

"""Make delivery attempts in a thread, several at a time.

Used by the forwarder, which hands it parcels and collects their outcomes. It decides nothing and
does not use the database. Every attempt has an outcome within the target's timeout, whatever the
target or the network does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional, TypeVar

from indexer.forward.failure import NO_ANSWER, result_of_error
from indexer.forward.transport import Transport, make_transport
from indexer.outbox.attempt import FAILED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

Outcome = tuple[Parcel, AttemptResult]

_Result = TypeVar("_Result")
_LOOKUP_THREADS = 32


class Sender:
    """Sends parcels until it is closed. Its thread starts with the first of them."""

    def __init__(
        self,
        on_outcome: Callable[[], None] = lambda: None,
        make: Callable[[Target], Transport] = make_transport,
    ) -> None:
        """`on_outcome` is called from the thread whenever there is an outcome to collect."""
        self._on_outcome = on_outcome
        self._make = make
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._transports: dict[Target, Transport] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None

    def send(self, target: Target, parcel: Parcel) -> None:
        """Make one attempt; its outcome comes later."""
        try:
            loop = self._loop or self._start()
            loop.call_soon_threadsafe(self._begin, target, parcel)
        except (OSError, RuntimeError) as error:
            # Out of descriptors, or of threads: a failed attempt like any other.
            self._outcomes.put((parcel, result_of_error(error)))

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes of attempts since the last call."""
        found = []
        while True:
            try:
                found.append(self._outcomes.get_nowait())
            except Empty:
                return found

    def close(self, grace: float = 0.0) -> None:
        """End the thread; attempts in flight have `grace` seconds to end."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._finish(grace), loop)
        thread.join(grace + 5.0)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        # Enough for host names that hang at one target not to hold up the lookups of others.
        loop.set_default_executor(ThreadPoolExecutor(_LOOKUP_THREADS, "lookup"))
        thread = threading.Thread(target=self._run, args=(loop,), name="sender", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        self._loop, self._thread = loop, thread
        return loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _begin(self, target: Target, parcel: Parcel) -> None:
        self._start_task(self._attempt(target, parcel))

    def _start_task(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself holds only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _attempt(self, target: Target, parcel: Parcel) -> None:
        try:
            result = await self._send_in_time(target, parcel)
        except Exception as error:
            result = result_of_error(error)
        self._outcomes.put((parcel, result))
        self._on_outcome()

    async def _send_in_time(self, target: Target, parcel: Parcel) -> AttemptResult:
        # Not `wait_for`: it waits until what it cancels has ended, which may be never.
        carrying = self._start_task(self._send_by_transport(target, parcel))
        done, _ = await asyncio.wait({carrying}, timeout=target.timeout)
        if done:
            return carrying.result()
        carrying.cancel()
        return AttemptResult(FAILED, NO_ANSWER)

    async def _send_by_transport(self, target: Target, parcel: Parcel) -> AttemptResult:
        # Made when it is needed, and again if it could not be: the cause may be fixed by then.
        if target not in self._transports:
            self._transports[target] = self._make(target)
        return await self._transports[target].send(parcel)

    async def _finish(self, grace: float) -> None:
        if self._tasks and grace:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            *(transport.close() for transport in self._transports.values()), return_exceptions=True
        )
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        loop.stop()

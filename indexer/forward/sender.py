"""The messenger: a thread that makes attempts, many at a time, and tells what came of each.

Called by the forwarder, which hands it parcels and fetches verdicts. It decides nothing, writes
nothing to the database, and whatever a target does ends within the target's time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional, TypeVar

from indexer.forward.carrier import Carrier, make_carrier
from indexer.forward.failure import NO_ANSWER, verdict_on
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from indexer.outbox.verdict import FAILED, Verdict

Outcome = tuple[Parcel, Verdict]

_Result = TypeVar("_Result")


class Messenger:
    """Carries parcels until it is closed. Its thread begins with the first of them."""

    def __init__(
        self,
        on_outcome: Callable[[], None] = lambda: None,
        make: Callable[[Target], Carrier] = make_carrier,
    ) -> None:
        """`on_outcome` is called from the thread whenever there is something to fetch."""
        self._on_outcome = on_outcome
        self._make = make
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._carriers: dict[Target, Carrier] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None

    def send(self, target: Target, parcel: Parcel) -> None:
        """Have one attempt made; its outcome comes later."""
        try:
            loop = self._loop or self._start()
            loop.call_soon_threadsafe(self._begin, target, parcel)
        except (OSError, RuntimeError) as error:
            # Out of descriptors, or of threads: as any attempt that came to nothing.
            self._outcomes.put((parcel, verdict_on(error)))

    def outcomes(self) -> list[Outcome]:
        """Return what has come of attempts since the last call."""
        found = []
        while True:
            try:
                found.append(self._outcomes.get_nowait())
            except Empty:
                return found

    def close(self, grace: float = 0.0) -> None:
        """End the thread; what is under way has `grace` seconds to come to an end."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._finish(grace), loop)
        thread.join(grace + 5.0)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._run, args=(loop,), name="messenger", daemon=True)
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
        self._keep(self._attempt(target, parcel))

    def _keep(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        task = asyncio.get_running_loop().create_task(work)
        # The loop itself holds tasks but weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _attempt(self, target: Target, parcel: Parcel) -> None:
        try:
            verdict = await self._carry_in_time(target, parcel)
        except Exception as error:
            verdict = verdict_on(error)
        self._outcomes.put((parcel, verdict))
        self._on_outcome()

    async def _carry_in_time(self, target: Target, parcel: Parcel) -> Verdict:
        # Not `wait_for`: it waits until what it cancels has ended, which may take for ever.
        carrying = self._keep(self._carry(target, parcel))
        done, _ = await asyncio.wait({carrying}, timeout=target.timeout)
        if done:
            return carrying.result()
        carrying.cancel()
        return Verdict(FAILED, NO_ANSWER)

    async def _carry(self, target: Target, parcel: Parcel) -> Verdict:
        # Made when it is needed, and again if it could not be: what was wrong may be mended.
        if target not in self._carriers:
            self._carriers[target] = self._make(target)
        return await self._carriers[target].carry(parcel)

    async def _finish(self, grace: float) -> None:
        if self._tasks and grace:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            *(carrier.close() for carrier in self._carriers.values()), return_exceptions=True
        )
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        loop.stop()

"""Wrap each call of a function in a run or a span.

Called by `TelemetryClient.tracked` and by spans used as decorators. It keeps a function's kind
(plain, coroutine, generator, asynchronous generator), and where a plain function hands back a
coroutine, a generator or a future, the block lasts until that is done. Between the items of a
generator the block is suspended: what the consumer does is not inside of it.
"""

from __future__ import annotations

import functools
import inspect
import sys
from types import TracebackType
from typing import Any, Callable, Optional, Protocol, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class Block(Protocol):
    """A run or a span that can be put around code."""

    def __enter__(self) -> Any:
        """Begin, and be around the code that follows."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Stop being around the code; end as `error` says, unless the block was kept open."""

    def keep_open(self) -> None:
        """Do not end when this `with` is left without an error: `finish` will be called later."""

    def suspend(self) -> None:
        """Stop being around the code that runs, without ending."""

    def resume(self) -> None:
        """Be around the code that runs once more."""

    def finish(self, error: Optional[BaseException] = None) -> None:
        """End, as the way says in which the block was left."""


def wrap(function: Function, new_block: Callable[[], Block]) -> Function:
    """Return `function` with a block of its own around each call."""
    return cast("Function", functools.wraps(function)(_wrapper_for(function, new_block)))


def _wrapper_for(
    function: Callable[..., Any], new_block: Callable[[], Block]
) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):
        return _around_coroutine(function, new_block)
    if inspect.isasyncgenfunction(function):
        return _async_items(lambda *a, **k: (_begun(new_block()), function(*a, **k)))
    if inspect.isgeneratorfunction(function):
        return _around_generator(function, new_block)
    return _around_plain(function, new_block)


def _around_coroutine(
    function: Callable[..., Any], new_block: Callable[[], Block]
) -> Callable[..., Any]:
    async def call_coroutine(*args: Any, **kwargs: Any) -> Any:
        with new_block():
            return await function(*args, **kwargs)

    return call_coroutine


def _around_generator(
    function: Callable[..., Any], new_block: Callable[[], Block]
) -> Callable[..., Any]:
    def iterate(*args: Any, **kwargs: Any) -> Any:
        return (yield from _items(_begun(new_block()), function(*args, **kwargs)))

    return iterate


def _around_plain(
    function: Callable[..., Any], new_block: Callable[[], Block]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        block = new_block()
        with block:
            result = function(*args, **kwargs)
            later = _later(block, result)
            if later is not None:
                # The work has hardly begun: it is done when the result is awaited or iterated.
                block.keep_open()
                return later
            return result

    return call


def _later(block: Block, result: Any) -> Any:
    """Return what to hand back instead of a result that is not finished yet; else None."""
    if inspect.iscoroutine(result):
        return _await_inside(block, result)
    if inspect.isgenerator(result):
        return _items(block, result)
    if inspect.isasyncgen(result):
        return _async_items(lambda: (block, result))()
    if _is_future(result):
        result.add_done_callback(lambda future: block.finish(_error_of(future)))
        return result
    return None


def _is_future(result: Any) -> bool:
    # If there is a future, its module is loaded.
    for module in ("asyncio", "concurrent.futures"):
        kind = getattr(sys.modules.get(module), "Future", None)
        if kind is not None and isinstance(result, kind):
            return True
    return False


def _error_of(future: Any) -> Optional[BaseException]:
    try:
        error: Optional[BaseException] = future.exception()
    except BaseException as cancelled:
        return cancelled
    return error


def _begun(block: Block) -> Block:
    block.__enter__()
    block.suspend()
    return block


async def _await_inside(block: Block, coroutine: Any) -> Any:
    block.resume()
    try:
        result = await coroutine
    except BaseException as error:
        block.finish(error)
        raise
    block.finish()
    return result


def _items(block: Block, generator: Any) -> Any:
    """What `yield from generator` would be, with the block around each step of it alone."""
    step, value = generator.send, None
    try:
        while True:
            block.resume()
            try:
                item = step(value)
            finally:
                block.suspend()
            try:
                value = yield item
                step = generator.send
            except GeneratorExit:
                generator.close()
                raise
            except BaseException as thrown:
                step, value = generator.throw, thrown
    except StopIteration as end:
        block.finish()
        return end.value
    except BaseException as error:
        block.finish(error)
        raise


def _async_items(begin: Callable[..., tuple[Block, Any]]) -> Callable[..., Any]:
    """What `yield from` would be if asynchronous generators had it, each step in the block."""

    async def iterate(*args: Any, **kwargs: Any) -> Any:
        block, inner = begin(*args, **kwargs)
        step, value = inner.asend, None
        try:
            while True:
                block.resume()
                try:
                    item = await step(value)
                finally:
                    block.suspend()
                try:
                    value = yield item
                    step = inner.asend
                except Exception as thrown:
                    step, value = inner.athrow, thrown
        except StopAsyncIteration:
            block.finish()
        except BaseException as error:
            block.finish(error)
            raise
        finally:
            await inner.aclose()

    return iterate

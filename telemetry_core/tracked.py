"""Tracked functions: a decorator that makes each call a run.

Called by `TelemetryClient.tracked`. It keeps a function's kind: plain, coroutine, generator
or asynchronous generator.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, TypeVar

if TYPE_CHECKING:
    from telemetry_core.run_context import RunContext

Function = TypeVar("Function", bound=Callable[..., Any])


def tracked(new_context: Callable[[], RunContext]) -> Callable[[Function], Function]:
    """Return a decorator that runs each call inside a context of its own."""

    def decorate(function: Function) -> Function:
        wrapper = _wrapper_for(function, new_context)
        return functools.wraps(function)(wrapper)  # type: ignore[return-value]  # same signature

    return decorate


def _wrapper_for(
    function: Callable[..., Any], new_context: Callable[[], RunContext]
) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        async def call_coroutine(*args: Any, **kwargs: Any) -> Any:
            async with new_context():
                return await function(*args, **kwargs)

        return call_coroutine
    if inspect.isasyncgenfunction(function):
        return _async_iterator(function, new_context)
    if inspect.isgeneratorfunction(function):

        def iterate(*args: Any, **kwargs: Any) -> Any:
            with new_context():
                return (yield from function(*args, **kwargs))

        return iterate

    def call(*args: Any, **kwargs: Any) -> Any:
        with new_context():
            return function(*args, **kwargs)

    return call


def _async_iterator(
    function: Callable[..., Any], new_context: Callable[[], RunContext]
) -> Callable[..., Any]:
    """What `yield from` would be if asynchronous generators had it, inside a run."""

    async def iterate(*args: Any, **kwargs: Any) -> Any:
        async with new_context():
            inner = function(*args, **kwargs)
            try:
                item = await inner.__anext__()
                while True:
                    try:
                        sent = yield item
                    except Exception as error:
                        item = await inner.athrow(error)
                    else:
                        item = await inner.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await inner.aclose()

    return iterate

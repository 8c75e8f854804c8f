"""`@span` and `@tool`: functions whose calls are spans of the run around them.

Outside of any run a decorated function is just called.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Callable, Optional, Union, overload

from telemetry_core import genai, lineage
from telemetry_core.wrapping import Block, Function, wrap


class _NoSpan(AbstractContextManager["_NoSpan"]):
    """The block around a call outside of any run."""

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        pass

    def _pass(self, error: Optional[BaseException] = None) -> None:
        pass

    keep_open = suspend = resume = finish = _pass


_NO_SPAN = _NoSpan()


@overload
def span(name: Function, /) -> Function: ...


@overload
def span(
    name: Optional[str] = None, /, kind: str = genai.STEP, **attributes: Any
) -> Callable[[Function], Function]: ...


def span(
    name: Union[str, Callable[..., Any], None] = None, /, kind: str = genai.STEP, **attributes: Any
) -> Any:
    """Make each call of a function a span: `@span`, or `@span("name", kind="agent", ...)`.

    The name is the function's where none is given.
    """
    if callable(name):
        return span()(name)

    def decorate(function: Function) -> Function:
        title = name or _name_of(function)

        def new_block() -> Block:
            run = lineage.current_run()
            return _NO_SPAN if run is None else run.span(title, kind, **attributes)

        return wrap(function, new_block)

    return decorate


@overload
def tool(name: Function, /) -> Function: ...


@overload
def tool(name: Optional[str] = None, /, **attributes: Any) -> Callable[[Function], Function]: ...


def tool(name: Union[str, Callable[..., Any], None] = None, /, **attributes: Any) -> Any:
    """Make each call of a function a tool call: `@tool`, or `@tool("name", ...)`.

    Neither arguments nor results are recorded: inside, `current_span().result(...)` does that.
    """
    if callable(name):
        return tool()(name)

    def decorate(function: Function) -> Function:
        title = name or _name_of(function)

        def new_block() -> Block:
            run = lineage.current_run()
            return _NO_SPAN if run is None else run.tool_call(title, **attributes)

        return wrap(function, new_block)

    return decorate


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)

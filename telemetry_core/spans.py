"""Record timed steps inside a run, such as a model call or a tool call.

Made by `run.span`, `run.llm_call` and `run.tool_call`. A span is two events, one when it starts
and one when it ends, so that a killed agent leaves what it was doing. It raises nothing and
passes every exception on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from telemetry_core import genai, lineage
from telemetry_core.clock import CLOCK
from telemetry_core.event import SPAN_ENDED, SPAN_STARTED
from telemetry_core.given_fields import plain_text, time_value
from telemetry_core.guard import guarded
from telemetry_core.outcome import one_line, status_of, summary_of
from telemetry_core.span_id import SPAN_IDS
from telemetry_core.spans_of_run import SpansOfRun
from telemetry_core.status import SUCCESS
from telemetry_core.wrapping import Function, wrap

if TYPE_CHECKING:
    from telemetry_core.run_context import RunContext

_MAX_ATTRIBUTES = 1_000
_MAX_SPAN_BYTES = 1024 * 1024
"""Of each of a span's two lines; longer values are cut and marked as cut."""
_MAX_NAME = 500

_Self = TypeVar("_Self", bound="Span")


class Span(SpansOfRun):
    """One step of a run: a context manager for `with` and `async with`, and a decorator.

    `span_id` is 16 hexadecimal digits. A span that is entered again while it is open gives that
    block a span of its own, which `as` names.
    """

    has_ended = False
    _error: Optional[str] = None
    _started: Optional[float] = None
    _is_backdated = False
    _made_by: Optional[Span] = None
    """The span that was entered again while it was open, and gave the block this one instead."""

    def __init__(
        self,
        run: RunContext,
        name: str,
        kind: str,
        parent: Optional[Span],
        attributes: dict[str, Any],
    ) -> None:
        self.span_id = SPAN_IDS.next()
        self.run = run
        self.name = name
        self.kind = kind
        self._recorder = run._recorder  # noqa: SLF001  # the run made us
        self._parent = parent
        self._attributes = attributes
        self._more: dict[str, Any] = {}

    def __repr__(self) -> str:
        state = "ended" if self.has_ended else "open" if self._started is not None else "new"
        return f"<{type(self).__name__} {self.name!r} {self.span_id} {state}>"

    @guarded
    def set(self, attributes: Optional[Mapping[str, Any]] = None, /, **more: Any) -> None:
        """Add attributes: by keyword, or as a mapping where names are no Python names."""
        for name, value in {**(attributes or {}), **more}.items():
            if name in self._more or len(self._more) < _MAX_ATTRIBUTES:
                self._more[name] = value

    @guarded
    def fail(self, error: Union[str, BaseException]) -> None:
        """Have the span end with status `error` though no exception leaves it."""
        if isinstance(error, BaseException):
            self._error = summary_of(error)
            self._more[genai.ERROR_TYPE] = type(error).__qualname__
        else:
            self._error = one_line(plain_text(error))

    @guarded
    def start(self, start_time: Any = None) -> None:
        """Start the span without putting it around the code that follows; `end` it yourself.

        `start_time` is a `datetime`, RFC 3339 text or seconds since 1970; by default now.
        """
        self._start(start_time)

    def _start(self, start_time: Any = None) -> None:
        if self._started is not None:
            return
        tick = CLOCK.next()
        parent = self._parent or lineage.enclosing_span(self.run)
        data: dict[str, Any] = {"span_id": self.span_id}
        if parent is not None:
            data["parent_span_id"] = parent.span_id
        data["name"], data["kind"], data["start_time"] = self.name, self.kind, tick[1]
        if start_time is not None:
            data["start_time"], self._is_backdated = time_value(start_time), True
        if self._attributes:
            data["attributes"] = self._attributes
        self._started = time.perf_counter()
        self._emit(SPAN_STARTED, data, tick)

    @guarded
    def end(self, error: Optional[BaseException] = None, end_time: Any = None) -> None:
        """End the span: `ok`, or as the exception says. A second end adds nothing."""
        self._end(error, end_time)

    def _end(self, error: Optional[BaseException], end_time: Any = None) -> None:
        if self._started is None or self.has_ended:
            return
        elapsed = max(0.0, time.perf_counter() - self._started)
        self.has_ended = True
        if error is not None and status_of(error) != SUCCESS:
            self.fail(error)
        tick = CLOCK.next()
        data: dict[str, Any] = {
            "span_id": self.span_id,
            "status": "ok" if self._error is None else "error",
            "end_time": tick[1] if end_time is None else time_value(end_time),
        }
        if end_time is None and not self._is_backdated:
            data["duration_ms"] = round(elapsed * 1000, 3)
        if self._error is not None:
            data["error"] = self._error
        attributes = self._final_attributes()
        if attributes:
            data["attributes"] = attributes
        self._emit(SPAN_ENDED, data, tick)

    def _emit(self, kind: str, data: dict[str, Any], tick: tuple[str, str, str]) -> None:
        self._recorder.emit(kind, self.run.run_id, data, None, tick, _MAX_SPAN_BYTES)

    def _final_attributes(self) -> dict[str, Any]:
        return self._more

    def span_home(self) -> tuple[RunContext, Optional[Span]]:
        """Return the run, and this span as the parent."""
        return self.run, self

    def _again(self: _Self) -> _Self:
        """Return a new span like this one, not started yet."""
        return type(self)(self.run, self.name, self.kind, self._parent, self._attributes)

    def __call__(self, function: Function) -> Function:
        """Decorate a function: each call is a span like this one."""
        return wrap(function, self._again)

    def __enter__(self: _Self) -> _Self:
        if self._started is None:
            self._enter()
            return self
        entry = self._again()
        entry._made_by = self  # noqa: SLF001  # another of this very class
        entry._enter()  # noqa: SLF001  # likewise
        return entry

    @guarded
    def _enter(self) -> None:
        self._start()
        lineage.enter_span(self)

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for span in reversed(lineage.open_spans()):
            if span is self or span._made_by is self:  # noqa: SLF001  # of this very class
                span.leave(error)
                return
        self.leave(error)

    @guarded
    def suspend(self) -> None:
        """Stop being the span around the code that follows."""
        lineage.leave_span(self)

    @guarded
    def resume(self) -> None:
        """Be the span around the code that follows."""
        lineage.enter_span(self)

    def _finish(self, error: Optional[BaseException]) -> None:
        lineage.leave_span(self)
        self._end(error)


def new_span(  # noqa: PLR0917  # what a span is made of, in its order
    maker: SpansOfRun,
    name: Any,
    kind: Any,
    parent: Any,
    attributes: dict[str, Any],
    cls: type[_Self] = Span,  # type: ignore[assignment]  # the default of a type variable
) -> _Self:
    """Return a span that is not started yet, of the run and inside the span that make it."""
    run, home = maker.span_home()
    # Nearly always there is none, and to ask an abstract class runs Python.
    chosen = home if parent is None or not isinstance(parent, Span) else parent
    return cls(run, plain_text(name)[:_MAX_NAME], plain_text(kind)[:_MAX_NAME], chosen, attributes)

"""Know which run and which span is around the current code.

Within a process by context variable, which threads, tasks and forks treat as they should; to
child processes by `TELEMETRY_PARENT_RUN_ID` and `TRACEPARENT`. Called by the client, the run
context and spans. It never starts a process and never reads the log.
"""

from __future__ import annotations

import contextvars

# With the rest, though it loads OpenSSL: every run needs it, maybe when no descriptor is left.
import hashlib
import os
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from telemetry_core.run_context import RunContext
    from telemetry_core.spans import Span

PARENT_VARIABLE = "TELEMETRY_PARENT_RUN_ID"
TRACE_VARIABLE = "TRACEPARENT"

_open_runs: contextvars.ContextVar[tuple[RunContext, ...]] = contextvars.ContextVar(
    "telemetry_open_runs", default=()
)
_open_spans: contextvars.ContextVar[tuple[Span, ...]] = contextvars.ContextVar(
    "telemetry_open_spans", default=()
)

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

# The runs that this process has put into its own environment, oldest first, with the values
# that stood there before the first of them.
_exported: list[str] = []
_before: dict[str, Optional[str]] = {}


def current_run() -> Optional[RunContext]:
    """Return the innermost run that is open around this code, None outside of any.

    Threads start outside: give them the run, and `parent=run` to runs that they start.
    """
    inside = _open_runs.get()
    return inside[-1] if inside else None


def current_span() -> Optional[Span]:
    """Return the innermost span that is open around this code, None outside of any."""
    # A task may go on after the span that it was created in has ended.
    for span in reversed(_open_spans.get()):
        if not span.has_ended:
            return span
    return None


def enclosing_span(run: RunContext) -> Optional[Span]:
    """Return the span that is open around this code, if it is one of `run`."""
    span = current_span()
    return span if span is not None and span.run.run_id == run.run_id else None


def open_spans() -> tuple[Span, ...]:
    """Return the spans that were entered around this code, outermost first."""
    return _open_spans.get()


def parent_of_new_run() -> Optional[str]:
    """Return the id of the run that a run started here and now is a child of."""
    inside = _open_runs.get()
    if inside:
        return inside[-1].run_id
    inherited = os.environ.get(PARENT_VARIABLE)
    if inherited in _exported:
        # Our own export, read by another thread: meant for child processes, not for it.
        return _before.get(PARENT_VARIABLE)
    return inherited or None


def open_runs() -> tuple[RunContext, ...]:
    """Return the runs that are open around this code, outermost first."""
    return _open_runs.get()


def enter(run: RunContext) -> None:
    """Make `run` the run around what follows in this context."""
    _open_runs.set((*_open_runs.get(), run))


def leave(run: RunContext) -> None:
    """Undo `enter`, in any order: generators and tasks end before runs begun inside of them.

    In another context than that of `enter`, where a generator may end, there is nothing to undo.
    """
    _open_runs.set(tuple(other for other in _open_runs.get() if other is not run))


def enter_span(span: Span) -> None:
    """Make `span` the span around what follows in this context."""
    _open_spans.set((*_open_spans.get(), span))


def leave_span(span: Span) -> None:
    """Undo `enter_span`, in any order and in any context, as `leave`."""
    inside = _open_spans.get()
    if inside and inside[-1] is span:
        _open_spans.set(inside[:-1])
    else:
        _open_spans.set(tuple(other for other in inside if other is not span))


def child_environment(run_id: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environ` that makes a child process's runs children of `run_id`."""
    trace = _traceparent(run_id, _inherited(environ))
    return {**environ, PARENT_VARIABLE: run_id, TRACE_VARIABLE: trace}


def trace_context(run_id: str) -> str:
    """Return the W3C trace context of a run: what its child processes get as `TRACEPARENT`."""
    return _traceparent(run_id, _inherited(os.environ))


def _inherited(environ: Mapping[str, str]) -> Optional[str]:
    """Return the trace that this process came with, not one that a run of its own exported."""
    trace = environ.get(TRACE_VARIABLE)
    if _exported and trace == os.environ.get(TRACE_VARIABLE):
        return _before.get(TRACE_VARIABLE)
    return trace


def export(run_id: str) -> bool:
    """Put `run_id` into this process's environment, for children started without `child_env`.

    Only from the main thread: the environment belongs to the whole process, and a run in some
    worker thread is not what the others' children descend from. Says whether it did.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if not _exported:
        for name in (PARENT_VARIABLE, TRACE_VARIABLE):
            _before[name] = os.environ.get(name)
    _exported.append(run_id)
    _put(run_id)
    return True


def withdraw(run_id: str) -> None:
    """Take `run_id` out of the environment; the run exported before it stands there again."""
    if run_id not in _exported:
        return
    _exported.remove(run_id)
    if _exported:
        _put(_exported[-1])
        return
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _put(run_id: str) -> None:
    os.environ[PARENT_VARIABLE] = run_id
    os.environ[TRACE_VARIABLE] = _traceparent(run_id, _before[TRACE_VARIABLE])


def _traceparent(run_id: str, inherited: Optional[str]) -> str:
    """A W3C trace context: the inherited trace, or one made of the run; the run as its span."""
    digest = hashlib.blake2b(run_id.encode("utf-8", "replace"), digest_size=24).hexdigest()
    known = _TRACEPARENT.fullmatch(inherited or "")
    return f"00-{known.group(1) if known else digest[:32]}-{digest[32:]}-01"

"""Lineage: which run is around this code, so that a run inside it can name its parent.

Within a process by context variable, which threads, tasks and forks treat as they should; to
child processes by `TELEMETRY_PARENT_RUN_ID` and `TRACEPARENT`. Called by the client and the
run context. It never starts a process and never reads the log.
"""

from __future__ import annotations

import contextvars

# With the rest, though it loads OpenSSL: every run needs it, maybe when no descriptor is left.
import hashlib
import os
import re
import threading
from collections.abc import Mapping
from typing import Optional

PARENT_VARIABLE = "TELEMETRY_PARENT_RUN_ID"
TRACE_VARIABLE = "TRACEPARENT"

_open_runs: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "telemetry_open_runs", default=()
)

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

# The runs that this process has put into its own environment, oldest first, with the values
# that stood there before the first of them.
_exported: list[str] = []
_before: dict[str, Optional[str]] = {}


def parent_of_new_run() -> Optional[str]:
    """Return the id of the run that a run started here and now is a child of."""
    inside = _open_runs.get()
    if inside:
        return inside[-1]
    inherited = os.environ.get(PARENT_VARIABLE)
    if inherited in _exported:
        # Our own export, read by another thread: meant for child processes, not for it.
        return _before.get(PARENT_VARIABLE)
    return inherited or None


def enter(run_id: str) -> None:
    """Make `run_id` the run around what follows in this context."""
    _open_runs.set((*_open_runs.get(), run_id))


def leave(run_id: str) -> None:
    """Undo `enter`, in any order: generators and tasks end before runs begun inside of them.

    In another context than that of `enter`, where a generator may end, there is nothing to undo.
    """
    _open_runs.set(tuple(other for other in _open_runs.get() if other != run_id))


def child_environment(run_id: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environ` that makes a child process's runs children of `run_id`."""
    child = dict(environ)
    child[PARENT_VARIABLE] = run_id
    child[TRACE_VARIABLE] = _traceparent(run_id, environ.get(TRACE_VARIABLE))
    return child


def export(run_id: str) -> bool:
    """Put `run_id` into this process's environment, for children started without one of ours.

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

"""Guess what was meant where a call's arguments are not those of the signature.

Called by the client, which never raises for them: it counts them, reports them once, and goes
on with what could be understood.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from telemetry_core.config import TelemetryConfig
from telemetry_core.run_id import UNKNOWN_RUN
from telemetry_core.wrapping import Block, Function, wrap

if TYPE_CHECKING:
    from telemetry_core.client import TelemetryClient
    from telemetry_core.run_context import RunContext

_START = ("agent_name", "job_type", "trigger_type")
_UNKNOWN = "unknown"


def configuration(given: Any, named: Mapping[str, Any]) -> tuple[TelemetryConfig, str]:
    """Return the configuration that a client is given, and what was wrong with the arguments.

    A path is a base directory: its log is inside of it, whatever the environment says.
    """
    wrong = ""
    if given is None and "config" in named:
        given, named = named["config"], {n: v for n, v in named.items() if n != "config"}
    if named:
        wrong = f"TelemetryClient has no argument {', '.join(map(repr, named))[:200]}"
    if isinstance(given, TelemetryConfig):
        return given, wrong
    if isinstance(given, (str, os.PathLike)) and os.fspath(given):
        path = os.fsdecode(os.fspath(given))
        return TelemetryConfig.for_base(Path(path), without_locations(os.environ)), wrong
    if given is not None:
        wrong = f"TelemetryClient takes a base directory or a configuration, not {type(given)}"
    return TelemetryConfig.from_env(), wrong


def without_locations(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that move log or database out of the base."""
    return {
        name: value
        for name, value in environ.items()
        if name not in ("TELEMETRY_DB_PATH", "TELEMETRY_NDJSON_DIR")
    }


def named_run(run_id: Any, fields: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the run and the fields of a call; only without a first argument is `run_id` the run.

    With one, a field of that name is the agent's own.
    """
    if isinstance(run_id, str) and not run_id and "run_id" in fields:
        run_id = fields.pop("run_id")
    return run_id, fields


def with_parent(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with `parent`, where it is a run or a span, as the parent run's id."""
    parent = fields.get("parent")
    run = getattr(parent, "run", parent)
    run_id = getattr(run, "run_id", None)
    if isinstance(run_id, str):
        del fields["parent"]
        fields.setdefault("parent_run_id", run_id)
    return fields


def start_anyway(client: TelemetryClient, /, *given: Any, **fields: Any) -> str:
    """Start a run of which not everything was said; return its id."""
    complete = _complete(given, fields)
    if not given and complete == fields:
        # Nothing was wrong with the arguments.
        return UNKNOWN_RUN
    return client.start_run(**complete)


def track_anyway(client: TelemetryClient, /, *given: Any, **fields: Any) -> RunContext:
    """Return the context of a run of which not everything was said."""
    from telemetry_core.run_context import RunContext

    return RunContext(client, _complete(given, fields))


def tracked_anyway(client: TelemetryClient, /, *given: Any, **fields: Any) -> Any:
    """Return a decorator for runs of which not everything was said."""
    return decorator(lambda: track_anyway(client, *given, **fields))


def decorator(new_block: Callable[[], Block]) -> Callable[[Function], Function]:
    """Return a decorator that puts a new block around each call."""

    def decorate(function: Function) -> Function:
        return wrap(function, new_block)

    return decorate


def _complete(given: tuple[Any, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**dict.fromkeys(_START[:2], _UNKNOWN), **dict(zip(_START, given))}
    return {**merged, **fields}


def event_anyway(owner: Any, /, *given: Any, **named: Any) -> Optional[str]:
    """Record an event whose payload was given in some other way; not one that failed otherwise.

    `owner` is a client, whose first argument is the run, or a run.
    """
    names: tuple[str, ...] = ("event_type", "payload")
    if hasattr(owner, "start_run"):
        names = ("run_id", *names)
    if len(given) <= len(names) and set(named) <= set(names):
        return None
    known = dict(zip(names, given))
    payload = {"payload": known.get("payload"), **named, "arguments": given[len(names) :] or None}
    rest = {name: value for name, value in payload.items() if value is not None}
    leading = [known.get(name, _UNKNOWN) for name in names[:-1]]
    recorded: Optional[str] = owner.log_event(*leading, rest)
    return recorded


def fields_anyway(owner: Any, /, *given: Any, **named: Any) -> Optional[str]:
    """Record fields that were given as a mapping instead of by name."""
    mappings = [value for value in given if isinstance(value, Mapping)]
    if not mappings:
        return None
    merged = {str(name): value for one in mappings for name, value in one.items()}
    recorded: Optional[str] = owner.set_metrics(**merged, **named)
    return recorded


def no_stats(_client: TelemetryClient, /) -> dict[str, Any]:
    """Return the totals of nothing."""
    return {"total_runs": 0, "status_counts": {}, "pending_api_posts": 0}

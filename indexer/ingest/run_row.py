"""Set, merge, or keep as context the fields of a run in its row.

Pure, and part of the fold.
"""

from __future__ import annotations

from typing import Any, Optional

import orjson

from indexer.ingest.values import (
    NORMALISE,
    context_of,
    is_number,
    object_in,
    time_of,
)
from telemetry_core.run_fields import RUN_FIELDS
from telemetry_core.status import RUNNING

RunRow = dict[str, Any]
"""A row of `agent_runs`, by column."""

KINDS = {field.name: field.kind for field in RUN_FIELDS}
"""The kind of each field of a run."""

ENDING_FIELDS = ("end_time", "duration_ms")
START_AND_END = ("start_time", "end_time")

# What events say of these is for the fold to judge.
_ALWAYS = ("status",)
_WHILE_RUNNING = (*_ALWAYS, *ENDING_FIELDS)


def set_fields(row: RunRow, data: dict[str, Any], *, overwrite: bool) -> None:
    """Set the columns that an event's data names; unknown numbers are metrics, the rest context.

    Without `overwrite` only what is empty is filled.
    """
    rest: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    passed_over = _WHILE_RUNNING if row["status"] == RUNNING else _ALWAYS
    for name, value in data.items():
        if value is None or name in passed_over:
            continue
        kind = KINDS.get(name)
        if kind == "text" and type(value) is str:
            known = value
        elif _is_merged(name, kind, value, metrics, rest):
            continue
        else:
            known = _normalised(name, value)
        if known is None:
            rest[name] = value
        elif overwrite or row[name] is None:
            row[name] = known
    if rest:
        before = orjson.loads(row["context_json"]) if row["context_json"] else {}
        row["context_json"] = _merged(before, rest, overwrite=overwrite)
    if metrics:
        merge_metrics(row, metrics, overwrite=overwrite)


def _is_merged(
    name: str, kind: Optional[str], value: Any, metrics: dict[str, Any], rest: dict[str, Any]
) -> bool:
    """Add a value to the metrics or to the context if it belongs there; return whether it does."""
    if kind is None:
        (metrics if is_number(value) else rest)[name] = value
    elif name == "metrics_json" and (given := object_in(value)) is not None:
        metrics.update(given)
    elif name == "context_json":
        rest.update(context_of(value))
    else:
        return False
    return True


def _normalised(name: str, value: Any) -> Any:
    """Return what a column stores of a value; None for what is kept elsewhere.

    Views sort, group and sum by times and numbers: what is neither is kept, but not as one.
    """
    return time_of(value) if name in START_AND_END else NORMALISE[KINDS[name]](value)


def merge_metrics(row: RunRow, metrics: dict[str, Any], *, overwrite: bool) -> None:
    """Merge metrics by name; one that is no object gives way to one that is, but for a start's."""
    if row["metrics_json"] is None or overwrite or object_in(row["metrics_json"]) is not None:
        row["metrics_json"] = _merged(metrics_of(row), metrics, overwrite=overwrite)


def metrics_of(row: RunRow) -> dict[str, Any]:
    """Return the metrics of a row by name."""
    return object_in(row["metrics_json"]) or {}


def _merged(known: dict[str, Any], new: dict[str, Any], *, overwrite: bool) -> str:
    merged = {**known, **new} if overwrite else {**new, **known}
    return orjson.dumps(merged, option=orjson.OPT_SORT_KEYS).decode()

"""Set, merge, or keep as context the fields of a run in its row.

Pure, and part of the fold.
"""

from __future__ import annotations

from typing import Any

import orjson

from indexer.ingest.values import (
    NORMALISE,
    context_of,
    is_number,
    number_of,
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


def set_fields(row: RunRow, data: dict[str, Any], *, overwrite: bool) -> None:
    """Set the columns that an event's data names; unknown numbers are metrics, the rest context.

    Without `overwrite` only what is empty is filled.
    """
    rest: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    passed_over = ("status", *(ENDING_FIELDS if row["status"] == RUNNING else ()))
    for name, value in data.items():
        if value is None or name in passed_over:
            continue
        kind = KINDS.get(name)
        if kind is None:
            (metrics if is_number(value) else rest)[name] = value
        elif name == "metrics_json" and (given := object_in(value)) is not None:
            metrics.update(given)
        elif name == "context_json":
            rest.update(context_of(value))
        elif (name in START_AND_END and time_of(value) is None) or (
            kind == "integer" and number_of(value) is None
        ):
            # Views sort, group and sum by these: what is not a time or a number is kept, but
            # not as one.
            rest[name] = value
        elif overwrite or row[name] is None:
            row[name] = NORMALISE[kind](value)
    if rest:
        known = orjson.loads(row["context_json"]) if row["context_json"] else {}
        row["context_json"] = _merged(known, rest, overwrite=overwrite)
    if metrics:
        merge_metrics(row, metrics, overwrite=overwrite)


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

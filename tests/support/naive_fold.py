"""A second opinion on the fold, written from the contract without the product's code.

It keeps a plain dictionary and applies the rules one after the other, as slowly as they read:

- events count in order of (time, id);
- a start fills only what is empty, updates and ends overwrite, and a null does neither;
- a counter adds to what is there, and metrics are merged by name, the later value first;
- unknown numbers are metrics, other unknown fields are context;
- while a run is running it has no end and no duration; an end without a status is a success;
- an end without a duration gets the milliseconds between start and end, and so does an ended run
  whose start or end is corrected.

Meant for well-formed events: texts, whole numbers, canonical times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from telemetry_core.event import Event

NUMBERS = {"items_discovered", "items_succeeded", "items_failed", "items_skipped", "duration_ms"}
TEXTS = {"agent_name", "job_type", "product", "error_summary"}
TIMES = {"start_time", "end_time"}
COMPARED = ("status", "metrics", "context", "events", "revision", *sorted(NUMBERS | TEXTS | TIMES))


def naive_fold(events: Iterable[Event]) -> dict[str, Any]:
    """Return what a run's events say of it, by name; what nobody said is not there."""
    run: dict[str, Any] = {"metrics": {}, "context": {}, "events": 0, "revision": 0}
    for event in sorted(events, key=lambda one: (one.time, one.id)):
        run["events"] += 1
        data = event.data if isinstance(event.data, dict) else {}
        if event.type == "run.started":
            _start(run, data, event.time)
        elif event.type == "run.updated":
            _update(run, data)
        elif event.type == "run.ended":
            _end(run, data, event.time)
        elif event.type == "run.incremented":
            _add(run, data)
        elif event.type == "run.metrics":
            run["metrics"].update(data["metrics"])
        if event.type.startswith("run.") and event.type != "run.event":
            run["revision"] += 1
    return run


def as_told(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `agent_runs` in the same terms."""
    reported = {name: row[name] for name in NUMBERS | TEXTS | TIMES if row[name] is not None}
    reported["metrics"] = json.loads(row["metrics_json"] or "{}")
    reported["context"] = json.loads(row["context_json"] or "{}")
    reported["events"], reported["revision"] = row["event_count"], row["revision"]
    if row["status"] is not None:
        reported["status"] = row["status"]
    return reported


def _start(run: dict[str, Any], data: dict[str, Any], time: str) -> None:
    run.setdefault("status", data.get("status") or "running")
    run.setdefault("start_time", data.get("start_time") or time)
    for name, value in data.items():
        home, name_there = _home(run, name)
        if value is not None and not _is_not_yet(run, name):
            home.setdefault(name_there, value)


def _overwrite(run: dict[str, Any], data: dict[str, Any]) -> None:
    if data.get("status") is not None:
        run["status"] = data["status"]
    for name, value in data.items():
        home, name_there = _home(run, name)
        if value is not None and not _is_not_yet(run, name):
            home[name_there] = value


def _update(run: dict[str, Any], data: dict[str, Any]) -> None:
    _overwrite(run, data)
    has_ended = run.get("status") != "running" and run.get("end_time")
    if has_ended and data.get("duration_ms") is None and any(data.get(name) for name in TIMES):
        _measure(run)


def _end(run: dict[str, Any], data: dict[str, Any], time: str) -> None:
    run["status"] = data.get("status") or "success"
    run["end_time"] = data.get("end_time") or time
    _overwrite(run, {name: value for name, value in data.items() if name != "status"})
    if data.get("duration_ms") is None:
        _measure(run)


def _measure(run: dict[str, Any]) -> None:
    run.pop("duration_ms", None)
    if "start_time" in run:
        passed = _moment(run["end_time"]) - _moment(run["start_time"])
        milliseconds = round(passed.total_seconds() * 1_000)
        if milliseconds >= 0:
            run["duration_ms"] = milliseconds


def _add(run: dict[str, Any], data: dict[str, Any]) -> None:
    for name, value in data.items():
        if name == "duration_ms":
            continue
        home, name_there = _home(run, name)
        home[name_there] = home.get(name_there, 0) + value


def _home(run: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    if name in NUMBERS | TEXTS | TIMES | {"status"}:
        return run, name
    return (run["metrics"] if name.startswith("metric_") else run["context"]), name


def _is_not_yet(run: dict[str, Any], name: str) -> bool:
    """While it runs, a run has neither end nor duration; its status is set apart."""
    return name == "status" or (
        name in {"end_time", "duration_ms"} and run.get("status") == "running"
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")

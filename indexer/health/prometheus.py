"""The metrics: what `telemetry status` knows, in Prometheus' text exposition format.

Called by `telemetry status --prometheus`. All but one are gauges, for a rebuild counts anew.
Units are the base ones: bytes, seconds, Unix times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from indexer.forward.circuit_breaker import PAUSED
from telemetry_core import __version__
from telemetry_core.timestamp import parse_time

_PREFIX = "telemetry_"
_DAY_SECONDS = 86400
_LABEL_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Metric(NamedTuple):
    """One metric with its samples: the labels of each and its value; None is left out."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], Optional[float]]]
    kind: str = "gauge"


def exposition(found: dict[str, Any]) -> str:
    """Return the metrics of one base, given what `health` found."""
    return "".join(_lines(metric) for metric in _metrics(found))


def _metrics(found: dict[str, Any]) -> Iterator[Metric]:
    yield _one("degraded", "Whether something needs looking after.", bool(found["problems"]))
    yield _one("problems", "How many things need looking after.", len(found["problems"]))
    labels = {"base": found["base"], "version": __version__}
    yield Metric("info", "Which base this is about.", [(labels, 1)])
    yield from _of_daemon(found["daemon"])
    yield from _of_log(found)
    yield from _of_view(found)


def _of_daemon(daemon: dict[str, Any]) -> Iterator[Metric]:
    yield _one("daemon_running", "Whether a daemon has the base.", daemon["running"])
    heartbeat = _seconds(daemon["heartbeat"])
    yield _one("daemon_heartbeat_timestamp_seconds", "When a daemon was last at work.", heartbeat)


def _of_log(found: dict[str, Any]) -> Iterator[Metric]:
    growth, per_day = found["growth"], found["growth"]["log_bytes_per_day"]
    yield _one("log_bytes", "Size of the log on disk.", found["bytes"]["log"])
    yield _one("log_files", "Files of the log that were read.", found["files"])
    yield _by("log_lines", "Lines of the log by what they came to.", "outcome", found["lines"])
    yield _one("lag_bytes", "Bytes of the log that the view has not got.", found["lag_bytes"])
    yield _one("lag_seconds", "How long the oldest of them waits.", found["lag_seconds"])
    yield _one("lagging_files", "Files with bytes to be read.", found["backlog"]["files"])
    yield _one("quarantined_lines_new", "Bad lines not looked at.", found["quarantine_new"])
    yield _one("unreadable_files", "Files that can't be read.", len(found["file_faults"]))
    dropped = found["events_dropped"]
    yield Metric(
        "writer_dropped_events_total",
        "Events that writers had to let go.",
        [({}, dropped)],
        "counter",
    )
    yield _one("log_growth_bytes_per_second", "Mean of the last week.", per_day / _DAY_SECONDS)
    yield _one("disk_free_bytes", "Room on the log's disk.", growth["disk_free_bytes"])
    days = growth["disk_days_left"]
    left = None if days is None else days * _DAY_SECONDS
    yield _one("disk_full_in_seconds", "How long the room lasts at this pace.", left)


def _of_view(found: dict[str, Any]) -> Iterator[Metric]:
    stale = Counter({"silent": 0, "process gone": 0})
    stale.update(run["reason"] for run in found["stale_runs"])
    yield _one("view_bytes", "Size of the database.", found["database_bytes"])
    yield _by("runs", "Runs by status.", "status", found["runs"])
    yield _by("stale_runs", "Running runs that have fallen silent.", "reason", stale)
    last = _seconds(found["last_event"])
    yield _one("last_event_timestamp_seconds", "When an agent was last heard of.", last)
    yield _one("api_posts_waiting", "Finished runs to be posted.", found["backlog"]["api_posts"])
    yield from _of_forwarding(found["forwarding"]["targets"])
    if found["integrity"]:
        yield _one("view_intact", "Whether its pages fit together.", found["integrity"]["ok"])


def _of_forwarding(targets: list[dict[str, Any]]) -> Iterator[Metric]:
    def by_target(name: str, meaning: str, value: Callable[[dict[str, Any]], Any]) -> Metric:
        return _by(
            f"forward_{name}",
            meaning,
            "target",
            {target["name"]: value(target) for target in targets},
        )

    yield by_target("open", "Whether a target accepts runs.", lambda one: one["state"] == "open")
    yield by_target(
        "paused", "Whether it rejected our credentials.", lambda one: one["state"] == PAUSED
    )
    yield by_target("waiting", "Runs that wait for the target.", lambda one: one["waiting"])
    yield by_target("dead", "Runs that it rejected.", lambda one: one["dead"])
    yield by_target(
        "last_delivered_timestamp_seconds",
        "When it last accepted a run.",
        lambda one: _seconds(one["last_delivered_at"]),
    )


def _one(name: str, meaning: str, value: Optional[float]) -> Metric:
    return Metric(name, meaning, [({}, value)])


def _by(name: str, meaning: str, label: str, values: dict[str, Any]) -> Metric:
    return Metric(name, meaning, [({label: str(key)}, value) for key, value in values.items()])


def _lines(metric: Metric) -> str:
    samples = [(labels, value) for labels, value in metric.samples if value is not None]
    if not samples:
        return ""
    name = _PREFIX + metric.name
    # `+ 0.0` makes a number of a flag; repr keeps every digit of it.
    told = [f"{name}{_labels(labels)} {value + 0.0!r}\n" for labels, value in samples]
    return f"# HELP {name} {metric.meaning}\n# TYPE {name} {metric.kind}\n{''.join(told)}"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = [f'{name}="{value.translate(_LABEL_ESCAPES)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _seconds(time: Optional[str]) -> Optional[float]:
    try:
        moment: Optional[datetime] = parse_time(time) if time else None
    except ValueError:
        return None
    return None if moment is None else moment.timestamp()

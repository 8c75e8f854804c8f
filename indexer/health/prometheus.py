"""The health in Prometheus' text exposition format.

Used by `telemetry status --prometheus`. All metrics but one are gauges, because a rebuild counts
again from zero. Units are base units: bytes, seconds, Unix times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, NamedTuple, Optional

from indexer.forward.circuit_breaker import OPEN, PAUSED
from indexer.health.deliveries import TargetHealth
from indexer.health.model import DaemonHealth, Health
from telemetry_core import __version__
from telemetry_core.timestamp import parse_time

_PREFIX = "telemetry_"
_DAY_SECONDS = 86400
_LABEL_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Metric(NamedTuple):
    """One metric with its samples: labels and a value each; a value of None is left out."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], Optional[float]]]
    kind: str = "gauge"


def exposition(health: Health) -> str:
    """Return the metrics of one base directory."""
    return "".join(_lines(metric) for metric in _metrics(health))


def _metrics(health: Health) -> Iterator[Metric]:
    yield _one("degraded", "Whether anything needs attention.", bool(health.problems))
    yield _one("problems", "How many things need attention.", len(health.problems))
    labels = {"base": health.base, "version": __version__}
    yield Metric("info", "Base directory and version.", [(labels, 1)])
    yield from _of_daemon(health.daemon)
    yield from _of_log(health)
    yield from _of_database(health)


def _of_daemon(daemon: DaemonHealth) -> Iterator[Metric]:
    yield _one("daemon_running", "Whether a daemon runs.", daemon.running)
    heartbeat = _seconds(daemon.heartbeat)
    yield _one("daemon_heartbeat_timestamp_seconds", "When a daemon last reported.", heartbeat)


def _of_log(health: Health) -> Iterator[Metric]:
    growth = health.growth
    unreadable = [*health.file_faults, *health.unreadable_files]
    yield _one("log_bytes", "Size of the log on disk.", health.bytes.log)
    yield _one("log_files", "Segments that were read.", health.files)
    yield _by("log_lines", "Lines of the log by outcome.", "outcome", health.lines._asdict())
    yield _one("lag_bytes", "Bytes of the log that are not indexed.", health.lag_bytes)
    yield _one("lag_seconds", "How long the oldest of these has waited.", health.lag_seconds)
    yield _one("lagging_files", "Segments with bytes to index.", health.backlog.files)
    yield _one(
        "quarantined_lines_new", "Quarantined lines, not acknowledged.", health.quarantine_new
    )
    yield _one("unreadable_files", "Segments that can't be read.", len(unreadable))
    yield _one(
        "events_without_segment",
        "Events whose segment is gone.",
        health.events_without_segment,
    )
    yield _one("ignored_files", "Files that are not read.", len(health.ignored_files))
    yield Metric(
        "writer_dropped_events_total",
        "Events that writers dropped.",
        [({}, health.events_dropped)],
        "counter",
    )
    per_second = growth.log_bytes_per_day / _DAY_SECONDS
    yield _one("log_growth_bytes_per_second", "Mean over the last week.", per_second)
    yield _one("disk_free_bytes", "Free space on the log's disk.", growth.disk_free_bytes)
    days = growth.disk_days_left
    left = None if days is None else days * _DAY_SECONDS
    yield _one("disk_full_in_seconds", "When the disk is full at this rate.", left)


def _of_database(health: Health) -> Iterator[Metric]:
    stale = Counter({"silent": 0, "process gone": 0})
    stale.update(run.reason for run in health.stale_runs)
    yield _one("database_bytes", "Size of the database.", health.database_bytes)
    yield _by("runs", "Runs by status.", "status", health.runs)
    yield _by("stale_runs", "Stale runs by reason.", "reason", stale)
    last = _seconds(health.last_event)
    yield _one("last_event_timestamp_seconds", "Time of the latest event.", last)
    yield _one("api_posts_waiting", "Runs to be forwarded.", health.backlog.api_posts)
    yield from _of_forwarding(health.forwarding.targets)
    if health.integrity:
        yield _one("database_intact", "Whether its integrity check passed.", health.integrity.ok)


def _of_forwarding(targets: Sequence[TargetHealth]) -> Iterator[Metric]:
    def by_target(name: str, meaning: str, value: Callable[[TargetHealth], Any]) -> Metric:
        values = {target.name: value(target) for target in targets}
        return _by(f"forward_{name}", meaning, "target", values)

    yield by_target("open", "Whether a target accepts runs.", lambda one: one.state == OPEN)
    yield by_target(
        "paused", "Whether it rejected our credentials.", lambda one: one.state == PAUSED
    )
    yield by_target("waiting", "Runs that wait for the target.", lambda one: one.waiting)
    yield by_target("dead", "Runs that it rejected.", lambda one: one.dead)
    yield by_target(
        "last_delivered_timestamp_seconds",
        "When it last accepted a run.",
        lambda one: _seconds(one.last_delivered_at),
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
    # `+ 0.0` makes a flag a number; repr keeps every digit.
    text = [f"{name}{_labels(labels)} {value + 0.0!r}\n" for labels, value in samples]
    return f"# HELP {name} {metric.meaning}\n# TYPE {name} {metric.kind}\n{''.join(text)}"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = [f'{name}="{value.translate(_LABEL_ESCAPES)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _seconds(time: Optional[str]) -> Optional[float]:
    try:
        moment: Optional[datetime] = parse_time(time) if time else None
    except ValueError:
        return None
    return None if moment is None else moment.timestamp()

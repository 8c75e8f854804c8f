"""The health of one base directory as data. The field names are the keys of `status --json`.

Named tuples rather than dataclasses: `telemetry status` makes these classes each time, and a
dataclass takes four times the time of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from indexer.health.deliveries import Deliveries
from indexer.store.integrity import Integrity


class ChannelHealth(NamedTuple):
    """How one channel is doing. The fields are the keys of `--json`."""

    name: str
    kind: str
    state: str
    """`open`, `down` or `paused`."""
    last_delivered_at: Optional[str]
    last_error: Optional[str]
    waiting: int
    """How many messages wait for it."""
    rejected: int
    """How many messages of the last week it rejected for good."""


class WatchHealth(NamedTuple):
    """How it goes to ask a centre for the rules on it. The fields are the keys of `--json`."""

    name: str
    """Of the target."""
    rules: list[str]
    """The names of the rules that are evaluated on its rows."""
    last_answered_at: Optional[str]
    last_error: Optional[str]
    """Why it could not be asked; None once it has answered."""
    error_since: Optional[str]


class AlertHealth(NamedTuple):
    """How alerting is doing."""

    problems: list[str]
    """What is wrong with the configuration, with what to do about it."""
    firing: int
    """How many alerts are open."""
    channels: list[ChannelHealth]
    fleets: Sequence[WatchHealth] = ()
    """The centres that rules are evaluated on."""


class DaemonHealth(NamedTuple):
    """Whether a daemon runs, and when it was last active. All but `running` may be None."""

    running: bool
    pid: Optional[int]
    host: Optional[str]
    since: Optional[str]
    heartbeat: Optional[str]
    """When a daemon last reported; it may have ended since."""
    watching: Optional[bool]
    """Whether the file system notifies it; otherwise it polls."""


class Backlog(NamedTuple):
    """What waits."""

    files: int
    """Segments with bytes that are not indexed."""
    api_posts: int
    """Runs to be sent to some target."""


class Lines(NamedTuple):
    """Lines of the log by what became of them."""

    indexed: int
    duplicate: int
    quarantined: int


class Bytes(NamedTuple):
    """Bytes of the log. `accounted` is the sum of what follows, and equals `read`."""

    log: int
    """Size of all segments on disk, compressed or not."""
    read: int
    accounted: int
    indexed: int
    duplicate: int
    quarantined: int


class QuarantinedLine(NamedTuple):
    """A line that could not be parsed as an event."""

    file: str
    offset: int
    length: int
    reason: str
    excerpt: str
    """Its first bytes."""


class SegmentFault(NamedTuple):
    """A segment that is not read, or not to its end."""

    file: str
    fault: str


class StaleRun(NamedTuple):
    """A run that never ended and has no live process: the columns of `stale_runs`."""

    run_id: str
    agent_name: Optional[str]
    job_type: Optional[str]
    start_time: Optional[str]
    last_event_time: Optional[str]
    host: Optional[str]
    source: Optional[str]
    reason: str
    """`process gone` or `silent`."""
    open_spans: int
    """How many of its spans never ended."""
    last_open_span: Optional[str]
    """The innermost of these: what the agent was doing."""


class Growth(NamedTuple):
    """How fast the log grows, and how long the disk will hold it."""

    log_bytes_per_day: int
    disk_free_bytes: Optional[int]
    """None if the system does not say."""
    disk_days_left: Optional[float]
    """None if nothing grows."""


class Health(NamedTuple):
    """Everything that `telemetry status` shows. Sizes are bytes, times UTC."""

    base: str
    log_directory: str
    database: str
    daemon: DaemonHealth
    database_bytes: int
    wal_bytes: int
    database_free_bytes: Optional[int]
    lag_bytes: int
    lag_seconds: float
    """How long the oldest line that is not indexed has been waiting."""
    backlog: Backlog
    forwarding: Deliveries
    alerts: AlertHealth
    files: int
    """Segments that were read."""
    lines: Lines
    bytes: Bytes
    quarantine_new: int
    """Quarantined lines that nobody has acknowledged."""
    quarantine: list[QuarantinedLine]
    """The latest of these."""
    file_faults: list[SegmentFault]
    """Segments whose content is damaged."""
    unreadable_files: list[SegmentFault]
    """Segments that can't be opened."""
    events_without_segment: int
    """Events in the database whose segment is no longer in the log directory."""
    ignored_files: list[str]
    """Files in the log directory that are not segments by their name."""
    runs: dict[str, int]
    """Runs by status; `stale` is one."""
    stale_runs: list[StaleRun]
    last_event: Optional[str]
    """The time of the latest event of any agent."""
    events_dropped: int
    """Events that writers had to drop."""
    growth: Growth
    integrity: Optional[Integrity]
    """None if it was not checked."""
    last_error: Optional[str]
    """The last error of the indexer."""
    last_error_at: Optional[str]
    started_at: Optional[str]
    """When the daemon last started."""
    settings: Sequence[str] = ()
    """What is wrong with environment variables, and what is used instead."""
    problems: Sequence[str] = ()
    """What needs attention, each with what to do about it."""

    @property
    def state(self) -> str:
        """`ok`, or `degraded` if anything needs attention."""
        return "degraded" if self.problems else "ok"

    def as_json(self) -> dict[str, Any]:
        """Return the value that `--json` shows."""
        return {**as_json(self), "state": self.state}


def as_json(value: Any) -> Any:
    """Return a value with named tuples as objects, at any depth, and other sequences as arrays."""
    if hasattr(value, "_asdict"):
        return {name: as_json(one) for name, one in value._asdict().items()}
    return [as_json(one) for one in value] if isinstance(value, (list, tuple)) else value

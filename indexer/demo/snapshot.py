"""The picture: what the view knows of one demo at this moment.

Called by the stage several times a second. It only reads, and takes a view that is not there
yet for an empty one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Optional

from indexer.errors import DatabaseUnusable
from indexer.store.connection import reading
from indexer.system.base import Base
from indexer.terminal.format import seconds_since

_FAMILY = (
    "(run_id = :root OR parent_run_id = :root"
    " OR parent_run_id IN (SELECT run_id FROM agent_runs WHERE parent_run_id = :root))"
)
_AGENTS = """SELECT run_id, agent_name, status, source, ifnull(items_discovered, 0),
  ifnull(items_succeeded, 0), ifnull(items_failed, 0), ifnull(items_skipped, 0),
  start_time, duration_ms,
  (SELECT item_name FROM agent_runs AS inner WHERE inner.parent_run_id = runs.run_id
   ORDER BY start_time DESC, run_id DESC LIMIT 1),
  (SELECT reason FROM stale_runs WHERE stale_runs.run_id = runs.run_id)
FROM agent_runs AS runs WHERE parent_run_id = ? ORDER BY agent_name"""


class AgentRun(NamedTuple):
    """One agent's run, as the view has it."""

    run_id: str
    agent: str
    status: str
    source: str
    discovered: int
    succeeded: int
    failed: int
    skipped: int
    start_time: str
    duration_ms: Optional[int]
    package: Optional[str]
    stale: Optional[str]

    @property
    def done(self) -> int:
        """How many files it is through with."""
        return self.succeeded + self.failed + self.skipped

    @property
    def elapsed_ms(self) -> float:
        """How long it took, or has taken so far."""
        return self.duration_ms or max(0.0, seconds_since(self.start_time) * 1000)


class Picture(NamedTuple):
    """The whole demo, as the view has it."""

    agents: list[AgentRun]
    runs: dict[str, int]
    """How many runs there are of each status: the demo's own, its agents', their packages'."""
    events: int
    killed: Collection[str]
    """Agents that were killed; the view can't know."""

    def status_of(self, run: AgentRun) -> str:
        """Return the status that a person should see."""
        return "killed" if run.agent in self.killed else run.status


def look(base: Base, run_id: str, killed: Collection[str]) -> Picture:
    """Return what the view knows of the demo whose own run is `run_id`."""
    try:
        with reading(base.database_path) as connection:
            agents = [AgentRun(*row) for row in connection.execute(_AGENTS, (run_id,))]
            statuses = connection.execute(
                f"SELECT status, count(*), sum(event_count) FROM agent_runs WHERE {_FAMILY}"
                " GROUP BY status",
                {"root": run_id},
            ).fetchall()
    except DatabaseUnusable:
        return Picture([], {}, 0, killed)
    runs = {status: number for status, number, _ in statuses}
    return Picture(agents, runs, sum(events for *_, events in statuses), killed)


def failed_files(base: Base, run_id: str) -> list[tuple[str, str]]:
    """Return the files that could not be parsed, each once, with the error."""
    with reading(base.database_path) as connection:
        return connection.execute(
            "SELECT DISTINCT json_extract(payload_json, '$.file'),"
            " json_extract(payload_json, '$.error') FROM run_events"
            " WHERE event_type = 'file.failed' AND run_id IN"
            f" (SELECT run_id FROM agent_runs WHERE {_FAMILY}) ORDER BY 1",
            {"root": run_id},
        ).fetchall()

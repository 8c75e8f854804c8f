"""What the database knows about a demo at one moment.

Used several times a second. It only reads, and treats a missing database as an empty one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple, Optional

from indexer.errors import DatabaseUnusable
from indexer.store.connection import reading
from indexer.store.schema.spans import USAGE_SUMS
from indexer.store.spans.open_spans import last_span
from indexer.system.base import Base
from indexer.terminal.format import seconds_since
from indexer.terminal.spans.usage import usage_sentence

_FAMILY = (
    "(run_id = :root OR parent_run_id = :root"
    " OR parent_run_id IN (SELECT run_id FROM agent_runs WHERE parent_run_id = :root))"
)
_STATUS = (
    "CASE WHEN run_id IN (SELECT run_id FROM stale_runs) THEN 'stale' ELSE status END AS shown"
)
_AGENTS = """SELECT run_id, agent_name, status, source, ifnull(items_discovered, 0),
  ifnull(items_succeeded, 0), ifnull(items_failed, 0), ifnull(items_skipped, 0),
  start_time, duration_ms,
  (SELECT item_name FROM agent_runs AS inner WHERE inner.parent_run_id = runs.run_id
   ORDER BY start_time DESC, run_id DESC LIMIT 1),
  (SELECT reason FROM stale_runs WHERE stale_runs.run_id = runs.run_id)
FROM agent_runs AS runs WHERE parent_run_id = ? ORDER BY agent_name"""


class AgentRun(NamedTuple):
    """The run of one agent, as the database has it."""

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
        """How many files it has finished."""
        return self.succeeded + self.failed + self.skipped

    @property
    def elapsed_ms(self) -> float:
        """How long it took, or has taken so far, in milliseconds."""
        return self.duration_ms or max(0.0, seconds_since(self.start_time) * 1000)


class Snapshot(NamedTuple):
    """The whole demo, as the database has it."""

    agents: list[AgentRun]
    runs: dict[str, int]
    """How many runs there are by status: of the demo, of its agents, of their packages."""
    events: int
    killed: Collection[str]
    """Agents that were killed, which the database can't know."""

    def status_of(self, run: AgentRun) -> str:
        """Return the status to show."""
        return "killed" if run.agent in self.killed else run.status


def take_snapshot(base: Base, run_id: str, killed: Collection[str]) -> Snapshot:
    """Return what the database knows about the demo whose own run is `run_id`."""
    try:
        with reading(base.database_path) as connection:
            agents = [AgentRun(*row) for row in connection.execute(_AGENTS, (run_id,))]
            statuses = connection.execute(
                f"SELECT {_STATUS}, count(*), sum(event_count) FROM agent_runs WHERE {_FAMILY}"
                " GROUP BY 1",
                {"root": run_id},
            ).fetchall()
    except DatabaseUnusable:
        return Snapshot([], {}, 0, killed)
    runs = {status: number for status, number, _ in statuses}
    return Snapshot(agents, runs, sum(events for *_, events in statuses), killed)


def last_words(base: Base, runs: Collection[AgentRun]) -> dict[str, str]:
    """Return what the killed agents among these runs were doing, by agent."""
    with reading(base.database_path) as connection:
        found = {run.agent: last_span(connection, run.run_id) for run in runs}
    return {agent: span.sentence(is_dead=True) for agent, span in found.items() if span}


def is_in_tool(base: Base, run_id: str, agent: str, seconds: float) -> bool:
    """Whether an agent of the demo has been inside one tool call for some time."""
    try:
        with reading(base.database_path) as connection:
            runs = connection.execute(
                "SELECT run_id FROM agent_runs WHERE parent_run_id = ? AND agent_name = ?",
                (run_id, agent),
            ).fetchall()
            spans = [last_span(connection, found) for (found,) in runs]
    except DatabaseUnusable:
        return False
    return any(
        span and span.kind == "tool_call" and (span.seconds or 0) >= seconds for span in spans
    )


def usage_in_words(base: Base, run_id: str) -> Optional[str]:
    """Return what the model calls of the demo used; None if there were none."""
    with reading(base.database_path) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute(
            f"SELECT {USAGE_SUMS} FROM run_spans WHERE counted = 1 AND run_id IN"
            f" (SELECT run_id FROM agent_runs WHERE {_FAMILY})",
            {"root": run_id},
        ).fetchone()
    return usage_sentence(row) if row["calls"] else None


def failed_files(base: Base, run_id: str) -> list[tuple[str, str]]:
    """Return each file that could not be parsed, with its error."""
    with reading(base.database_path) as connection:
        return connection.execute(
            "SELECT DISTINCT json_extract(payload_json, '$.file'),"
            " json_extract(payload_json, '$.error') FROM run_events"
            " WHERE event_type = 'file.failed' AND run_id IN"
            f" (SELECT run_id FROM agent_runs WHERE {_FAMILY}) ORDER BY 1",
            {"root": run_id},
        ).fetchall()

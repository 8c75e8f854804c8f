"""Say which runs a filter means in the centre's SQL: all that it means, or a few more. Pure.

What only the database in memory can decide stays there: whether a run is stale by this host's
settings, and whether it is nested in another.
"""

from __future__ import annotations

from typing import NamedTuple

from indexer.store.run_queries import STALE, RunFilter
from telemetry_core.status import RUNNING


class Condition(NamedTuple):
    """A condition on runs, and the values of its parameters."""

    sql: str
    values: dict[str, str]


def runs_of(chosen: RunFilter, silent_since: str) -> Condition:
    """Return the condition of a filter; what was heard of after a time is not stale."""
    wanted = {
        "agent_name = {agent:String}": ("agent", chosen.agent),
        "job_type = {job:String}": ("job", chosen.job),
        "start_time >= {since:String}": ("since", chosen.since),
        "start_time < {until:String}": ("until", chosen.until),
        "parent_run_id = {parent:String}": ("parent", chosen.parent),
        "status = {status:String}": ("status", _recorded(chosen.status)),
    }
    if chosen.status == STALE:
        wanted["last_event_time < {silent:String}"] = ("silent", silent_since)
    given = {sql: pair for sql, pair in wanted.items() if pair[1] is not None}
    values = {name: value for name, value in given.values() if value is not None}
    return Condition(" AND ".join(given) or "true", values)


def _recorded(status: str | None) -> str | None:
    return RUNNING if status == STALE else status

"""Copy what sums are made of: runs of a filter, calls of a time, and all that a report says."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from indexer.fleet.reading.conditions import runs_of
from indexer.fleet.reading.copy import USAGE_COLUMNS, Copy
from indexer.fleet.reading.family import add_found
from indexer.fleet.schema.layout import in_list
from indexer.fleet.schema.tables import SPAN_ROWS
from indexer.store.run_queries import STALE, RunFilter, count_runs, newest_stale
from indexer.store.spans.prices import set_price_version

_NAMED = {"agent": "agent_name", "job": "job_type", "status": "status"}
_STALE_SHOWN = 20
_IS_SUMMED = "(counted = 1 OR kind = 'tool')"


def add_chosen(copy: Copy, chosen: RunFilter, silent_since: str) -> None:
    """Copy the runs of a filter, and of no match the values that there are.

    Raises NoSuchRun where a part of the parent's id names none, or FleetError.
    """
    if chosen.parent is not None:
        chosen = replace(chosen, parent=add_found(copy, chosen.parent))
    copy.add_runs(*runs_of(chosen, silent_since))
    copy.add_parents()
    if not any(count_runs(copy.connection, chosen)):
        for name, column in _NAMED.items():
            if getattr(chosen, name) is not None:
                copy.add_newest_of_each(column)


def add_usage(copy: Copy, since: Optional[str], *, needs_runs: bool = True) -> None:
    """Copy the calls that count and began since a time, and their runs if they are needed."""
    recent = "" if since is None else "start_time >= {since:String}"
    values = {} if since is None else {"since": since}
    versions = copy.ask(
        f"SELECT DISTINCT price_version FROM {SPAN_ROWS} FINAL"
        f" WHERE price_version IS NOT NULL AND {recent or 'true'} ORDER BY 1",
        values,
    )
    if versions:
        # Hosts may have price data of different versions.
        set_price_version(copy.connection, ", ".join(str(one) for (one,) in versions))
    copy.add_spans(f"counted = 1 AND {recent or 'true'}", values, USAGE_COLUMNS, of=recent)
    if needs_runs:
        copy.add_runs_of_spans()


def add_period(copy: Copy, chosen: RunFilter, before: str, silent_since: str) -> None:
    """Copy what a report on the filter's period says, and the period from `before` to it."""
    add_chosen(copy, replace(chosen, since=before), silent_since)
    copy.add_runs(*runs_of(RunFilter(status=STALE), silent_since), "`telemetry runs --fleet`")
    period = {"since": chosen.since or "", "until": chosen.until or "~"}
    within = "start_time >= {since:String} AND start_time < {until:String}"
    copy.add_spans(f"{within} AND {_IS_SUMMED}", period, USAGE_COLUMNS, of=within)
    copy.add_runs_of_spans()
    newest = newest_stale(copy.connection, _STALE_SHOWN)
    if newest:
        these = f"run_id IN ({in_list(newest)})"
        copy.add_spans(these, columns=USAGE_COLUMNS, of=these)
    copy.add_parents()

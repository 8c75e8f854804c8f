"""The table of runs, and the names and values of runs for people.

Used by the commands and pages that show runs.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from indexer.store.run_queries import STALE, stale_reasons
from indexer.terminal.console import STATUS_STYLES, at_terminal
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.hyperlink import linked_run
from indexer.terminal.json_output import parsed_row
from indexer.terminal.table import Column, print_table

_OWN_RUN_ID = re.compile(r"\d{8}T\d{6}Z-.*-[0-9a-f]{8,}")
_SHORT_LENGTH = 8

_COLUMNS = (
    Column("RUN", style="dim"),
    Column("AGENT", cut=True),
    Column("JOB", cut=True),
    Column("STATUS", styles=STATUS_STYLES),
    Column("STARTED"),
    Column("TOOK", right=True),
    Column("DONE", right=True, minor=True),
    Column("FAILED", right=True, minor=True),
    Column("NESTED", right=True, minor=True),
    Column("NOTE", style="dim", note=True),
)


def run_values(connection: sqlite3.Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows of `agent_runs` as dicts, each with `stale`: why it is stale, or None."""
    stale = stale_reasons(connection)
    return [{**parsed_row(row), "stale": stale.get(row["run_id"])} for row in rows]


def shown_status(run: Mapping[str, Any]) -> str:
    """Return the status that people see: `stale` for a run that only its record has running."""
    return STALE if run["stale"] else plain(run["status"])


def print_runs(
    runs: Sequence[Mapping[str, Any]], nested: Optional[Mapping[str, int]] = None
) -> None:
    """Print runs as a table.

    `nested` has how many runs are nested in each, by run id. A run's `depth`, if it has one,
    says how far to indent it.
    """
    print_table(_COLUMNS, [_cells(run, (nested or {}).get(run["run_id"], 0)) for run in runs])


def short_id(run_id: str) -> str:
    """Return what names a run at a terminal: the end of a generated id, any other id whole."""
    return run_id[-_SHORT_LENGTH:] if _OWN_RUN_ID.fullmatch(run_id) else plain(run_id)


def _cells(run: Mapping[str, Any], nested: int) -> list[str]:
    run_id = run["run_id"]
    return [
        linked_run(run_id, short_id(run_id)) if at_terminal() else plain(run_id),
        "  " * run.get("depth", 0) + plain(run["agent_name"]),
        plain(run["job_type"]),
        shown_status(run),
        local_time(run["start_time"], short=at_terminal()),
        duration(run["duration_ms"]),
        _done(run),
        count(run["items_failed"]),
        count(nested) if nested else "",
        plain(run["stale"] or run["error_summary"]),
    ]


def _done(run: Mapping[str, Any]) -> str:
    done, found = count(run["items_succeeded"]), count(run["items_discovered"])
    return f"{done or 0}/{found}" if found else done

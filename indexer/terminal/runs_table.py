"""The rows of runs: found by what people call them, and printed as a table.

Called by the commands that show runs. It only reads.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from indexer.terminal.console import STATUS_STYLES, at_terminal
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.json_output import parsed_row
from indexer.terminal.table import Column, print_table
from telemetry_core.errors import TelemetryError

_OWN_RUN_ID = re.compile(r"\d{8}T\d{6}Z-.*-[0-9a-f]{8,}")
_SHORT_LENGTH = 8
_CANDIDATES = 5
_NEWEST = "SELECT run_id FROM agent_runs ORDER BY start_time DESC, run_id DESC LIMIT 1"
_WAYS_TO_FIND = (
    "run_id = :wanted",
    f":wanted = 'latest' AND run_id = ({_NEWEST})",
    "substr(run_id, 1, length(:wanted)) = :wanted OR substr(run_id, -length(:wanted)) = :wanted",
)


class NoSuchRun(TelemetryError):
    """No run, or more than one, is what was asked for."""

    hint = "`telemetry runs` lists them"


def find_run(connection: sqlite3.Connection, wanted: str) -> dict[str, Any]:
    """Return the run of an id, of the beginning or end of one, or `latest`. Raises NoSuchRun."""
    if not wanted:
        # Every id begins and ends with nothing; it is a variable of a script that was not set.
        raise NoSuchRun("the run id is empty")
    for condition in _WAYS_TO_FIND:
        rows = connection.execute(
            f"SELECT * FROM agent_runs WHERE {condition} ORDER BY start_time DESC LIMIT :limit",
            {"wanted": wanted, "limit": _CANDIDATES + 1},
        ).fetchall()
        if len(rows) > 1:
            names = ", ".join(plain(row["run_id"]) for row in rows[:_CANDIDATES])
            more = " and others" if len(rows) > _CANDIDATES else ""
            raise NoSuchRun(f"{wanted!r} may be any of {names}{more}")
        if rows:
            return with_reasons(connection, rows)[0]
    raise NoSuchRun(f"there is no run {wanted!r}")


def with_reasons(connection: sqlite3.Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows of runs as dicts, each with `stale`: why it is taken for dead, or null."""
    stale = dict(connection.execute("SELECT run_id, reason FROM stale_runs").fetchall())
    return [{**parsed_row(row), "stale": stale.get(row["run_id"])} for row in rows]


def print_runs(rows: Sequence[dict[str, Any]]) -> None:
    """Print runs as a table."""
    columns = [
        Column("RUN", style="dim"),
        Column("AGENT", cut=True),
        Column("JOB", cut=True),
        Column("STATUS", styles=STATUS_STYLES),
        Column("STARTED"),
        Column("TOOK", right=True),
        Column("DONE", right=True),
        Column("FAILED", right=True),
        Column("NOTE", style="dim", note=True),
    ]
    print_table(columns, [_cells(row) for row in rows])


def short_id(run_id: str) -> str:
    """Return what names a run at a terminal: the end of an id of ours, any other id whole."""
    return run_id[-_SHORT_LENGTH:] if _OWN_RUN_ID.fullmatch(run_id) else plain(run_id)


def _cells(row: dict[str, Any]) -> list[str]:
    run_id = row["run_id"]
    return [
        short_id(run_id) if at_terminal() else plain(run_id),
        plain(row["agent_name"]),
        plain(row["job_type"]),
        plain(row["status"]),
        local_time(row["start_time"], short=at_terminal()),
        duration(row["duration_ms"]),
        _done(row),
        count(row["items_failed"]),
        plain(row["stale"] or row["error_summary"]),
    ]


def _done(row: dict[str, Any]) -> str:
    done, found = count(row["items_succeeded"]), count(row["items_discovered"])
    return f"{done or 0}/{found}" if found else done

"""One run with all its fields, and the runs whose ids look like one that is not there.

Called by the page of a run.
"""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Mapping
from typing import Any, Optional

import orjson

from indexer.store.schema.columns import RUN_COLUMNS

_CANDIDATES = 500
_MOST_NEAR = 5
_KEPT = frozenset(("metrics_json", "context_json"))
_OWN = frozenset(
    (
        "run_id",
        "schema_version",
        "last_event_id",
        "api_posted",
        "api_posted_at",
        "api_posted_revision",
        "api_retry_count",
        "created_at",
        "updated_at",
        "process_start",
    )
)


def fields_of(connection: sqlite3.Connection, run_id: str) -> Optional[dict[str, Any]]:
    """Return the columns of a run by name; None if there is no such run."""
    row = connection.execute(
        f"SELECT {', '.join(RUN_COLUMNS)} FROM agent_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return None if row is None else dict(zip(RUN_COLUMNS, row))


def full_id(connection: sqlite3.Connection, wanted: str) -> Optional[str]:
    """Return the id of a run by its id, its beginning, or `latest`."""
    if wanted == "latest":
        sql = "SELECT run_id FROM agent_runs ORDER BY start_time DESC, run_id DESC LIMIT 1"
        row = connection.execute(sql).fetchone()
        return None if row is None else str(row[0])
    rows = connection.execute(
        "SELECT run_id FROM agent_runs WHERE run_id >= ? AND run_id < ? LIMIT 2",
        (wanted, f"{wanted}\U0010ffff"),
    ).fetchall()
    return str(rows[0][0]) if len(rows) == 1 or (rows and rows[0][0] == wanted) else None


def near_ids(connection: sqlite3.Connection, wanted: str) -> list[str]:
    """Return the ids of recent runs that resemble one."""
    sql = "SELECT run_id FROM agent_runs ORDER BY start_time DESC LIMIT ?"
    recent = [str(row[0]) for row in connection.execute(sql, (_CANDIDATES,))]
    ends = [run_id for run_id in recent if len(wanted) >= 4 and run_id.endswith(wanted)]
    return ends[:_MOST_NEAR] or difflib.get_close_matches(wanted[:200], recent, _MOST_NEAR, 0.5)


def worth_showing(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the fields that say something, those in `metrics_json` and `context_json` apart."""
    shown = [
        (name, value)
        for name, value in fields.items()
        if value not in (None, "")
        and name not in _OWN
        and name not in _KEPT
        and name != "error_details"
    ]
    for name in sorted(_KEPT):
        shown += _inner(fields.get(name))
    return shown


def _inner(text: Any) -> list[tuple[str, Any]]:
    try:
        value = orjson.loads(text) if text else {}
    except (orjson.JSONDecodeError, TypeError):
        return [("context_json", text)]
    if not isinstance(value, dict):
        return [("context_json", text)]
    return [
        (str(name), one if isinstance(one, (str, int, float)) else orjson.dumps(one).decode())
        for name, one in value.items()
    ]

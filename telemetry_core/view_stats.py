"""The database's totals, as an agent may ask for them.

Called by `TelemetryClient.get_stats`. It opens the database read-only, for one query at a
time, and takes a database that is not there yet for an empty one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def database_stats(database: Path) -> dict[str, Any]:
    """Return total_runs, status_counts and pending_api_posts; `database_error` if unreadable."""
    stats: dict[str, Any] = {"total_runs": 0, "status_counts": {}, "pending_api_posts": 0}
    if not os.path.isfile(database):
        return stats
    try:
        # Imported here: recording needs no database, and an agent should not pay for one.
        import sqlite3

        address = f"{database.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=1.0)
        try:
            counts = connection.execute("SELECT status, count(*) FROM agent_runs GROUP BY status")
            stats["status_counts"] = dict(counts.fetchall())
            (stats["pending_api_posts"],) = connection.execute(
                "SELECT count(DISTINCT run_id) FROM outbox"
            ).fetchone()
        finally:
            connection.close()
    except Exception as error:
        stats["database_error"] = str(error)
    stats["total_runs"] = sum(stats["status_counts"].values())
    return stats

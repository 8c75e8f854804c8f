"""Does it work at all? Records a run, indexes it, reads it back: `python tests/smoke_test.py`.

Runs alone, without pytest, against whatever is installed or lies next to it.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from indexer.system.base import Base

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.database.verify import verify
from telemetry_core import TelemetryClient, TelemetryConfig


def test_smoke() -> None:
    """A run with an event and a metric becomes a row, survives a rebuild, and verifies."""
    with tempfile.TemporaryDirectory() as base:
        config = TelemetryConfig.for_base(Path(base))
        client = TelemetryClient(config)
        with client.track_run("smoke", "test") as run:
            run.log_event("checkpoint", {"step": 1})
            run.set_metrics(items_succeeded=1)
        assert index_once(Base(config)).lines == {"indexed": 4}
        rebuild(Base(config))
        with closing(sqlite3.connect(config.database_path)) as connection:
            found = connection.execute(
                "SELECT agent_name, status, items_succeeded, event_count FROM agent_runs"
            ).fetchall()
        assert found == [("smoke", "success", 1, 4)]
        assert verify(Base(config)).is_ok
        assert client.get_stats()["total_runs"] == 1


if __name__ == "__main__":
    test_smoke()
    print("ok: recorded, indexed, rebuilt, verified")

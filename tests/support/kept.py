"""What must hold after every fault on the writing side: nothing acknowledged is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Optional

from indexer.fresh import index_once
from indexer.verify import verify
from telemetry_core import TelemetryConfig
from tests.support.log import Log


def assert_kept(base: Path, acknowledged: Iterable[Optional[str]]) -> Log:
    """All ids that `log_event` returned are in the log; the view has the log's, once each."""
    log, config = Log(base / "raw"), TelemetryConfig.for_base(base)
    told = [event_id for event_id in acknowledged if event_id]
    ids = log.ids()
    assert len(told) == len(set(told))
    assert set(told) - set(ids) == set()
    index_once(config)
    with closing(sqlite3.connect(config.database_path)) as connection:
        stored = [row[0] for row in connection.execute("SELECT event_id FROM run_events")]
    assert sorted(stored) == sorted(set(ids))
    report = verify(config)
    assert report.is_ok, report.differences
    return log

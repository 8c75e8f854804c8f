"""The fresh view: what a reading command does before it reads, so that nobody reads stale rows.

Called by every reading command. Where a daemon runs it waits for it to catch up; otherwise it
makes the pass itself.
"""

from __future__ import annotations

import errno
import time
from contextlib import closing
from typing import Callable

from indexer.database.leases import ONE_PASS, indexer_lease
from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.errors import AlreadyRunning, DatabaseDamaged, DatabaseUnusable
from indexer.ingest.ingest import PassResult
from indexer.ingest.lag import is_caught_up
from indexer.store.connection import reading
from telemetry_core.config import TelemetryConfig

_NOT_TO_BE_WRITTEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
"""A reader of somebody else's base, or of one on a disk that is mounted read-only."""
_PATIENCE_WITH_A_DAEMON = 2.0
_LOOK_SECONDS = 0.02


def index_once(
    config: TelemetryConfig, on_progress: Callable[[int], None] = lambda _: None
) -> PassResult:
    """Make one pass over the log. Raises AlreadyRunning, TelemetryError or OSError."""
    with indexer_lease(config, ONE_PASS):
        try:
            return _pass(config, on_progress)
        except DatabaseDamaged:
            # It opened, and broke further in. Anew from the log, as a daemon would do it.
            rebuild(config, on_progress)
            return _pass(config, on_progress)


def _pass(config: TelemetryConfig, on_progress: Callable[[int], None]) -> PassResult:
    with closing(Session(config, on_progress)) as view:
        result = view.run_pass()
        view.refresh_gone_processes()
        return result


def refresh_database(
    config: TelemetryConfig, on_progress: Callable[[int], None] = lambda _: None
) -> str:
    """See to it that the view has all that the log has now; return a warning if it has not.

    Raises TelemetryError or OSError where there is nothing that could be read.
    """
    try:
        result = index_once(config, on_progress)
    except AlreadyRunning:
        return _wait_for_daemon(config)
    except OSError as error:
        if error.errno not in _NOT_TO_BE_WRITTEN:
            raise
        return f"the view may be stale, for it can't be written to: {error}"
    return "; ".join(result.problems)


def _wait_for_daemon(config: TelemetryConfig) -> str:
    deadline = time.monotonic() + _PATIENCE_WITH_A_DAEMON
    while True:
        try:
            with reading(config.database_path) as connection:
                if is_caught_up(connection, config.ndjson_dir):
                    return ""
        except DatabaseUnusable:
            if time.monotonic() >= deadline:
                raise
        if time.monotonic() >= deadline:
            return "the daemon has not caught up with the log yet; see `telemetry status`"
        time.sleep(_LOOK_SECONDS)

"""The fresh view: what a reading command does before it reads, so that nobody reads stale rows.

Called by every reading command. Where a daemon runs it waits for it to catch up; otherwise it
makes the pass itself.
"""

from __future__ import annotations

import errno
import time
from contextlib import closing
from typing import Callable

from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.errors import AlreadyRunning, DatabaseDamaged, DatabaseUnusable
from indexer.ingest.ingest import PassResult
from indexer.ingest.lag import is_caught_up
from indexer.store.connection import reading
from indexer.system.base import ONE_PASS, Base

_NOT_TO_BE_WRITTEN = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
"""A reader of somebody else's base, or of one on a disk that is mounted read-only."""
_PATIENCE_WITH_A_DAEMON = 2.0
_LOOK_SECONDS = 0.02


def index_once(base: Base, on_progress: Callable[[int], None] = lambda _: None) -> PassResult:
    """Make one pass over the log. Raises AlreadyRunning, TelemetryError or OSError."""
    with base.indexer_lease(ONE_PASS):
        try:
            return _pass(base, on_progress)
        except DatabaseDamaged:
            # It opened, and broke further in. Anew from the log, as a daemon would do it.
            rebuild(base, on_progress)
            return _pass(base, on_progress)


def _pass(base: Base, on_progress: Callable[[int], None]) -> PassResult:
    with closing(open_or_rebuild(base, on_progress)) as view:
        result = view.run_pass()
        view.refresh_gone_processes()
        return result


def refresh_database(base: Base, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """See to it that the view has all that the log has now; return a warning if it has not.

    Raises TelemetryError or OSError where there is nothing that could be read.
    """
    try:
        result = index_once(base, on_progress)
    except AlreadyRunning:
        return _wait_for_daemon(base)
    except OSError as error:
        if error.errno not in _NOT_TO_BE_WRITTEN:
            raise
        return f"the database may be out of date: it can't be written to: {error}"
    return "; ".join(result.problems)


def _wait_for_daemon(base: Base) -> str:
    deadline = time.monotonic() + _PATIENCE_WITH_A_DAEMON
    while True:
        try:
            with reading(base.database_path) as connection:
                if is_caught_up(connection, base.log_directory):
                    return ""
        except DatabaseUnusable:
            if time.monotonic() >= deadline:
                raise
        if time.monotonic() >= deadline:
            return "the daemon has not caught up with the log yet; see `telemetry status`"
        time.sleep(_LOOK_SECONDS)

"""Open a session, and rebuild the database first where that is necessary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.errors import DatabaseDamaged
from indexer.system.callbacks import Progress, ShouldStop, never_stop, no_progress

if TYPE_CHECKING:
    from indexer.system.base import Base


def open_or_rebuild(
    base: Base, on_progress: Progress = no_progress, should_stop: ShouldStop = never_stop
) -> Session:
    """Open the database; one that is damaged or of another schema is rebuilt from the log first.

    Raises TelemetryError or OSError.
    """
    try:
        return Session.open(base, on_progress, should_stop)
    except DatabaseDamaged as error:
        # Imported here: every reading command comes by, and few have anything to log.
        import logging

        logging.getLogger(__name__).warning("rebuilding: %s", error)
        rebuild(base, on_progress, should_stop)
        return Session.open(base, on_progress, should_stop)

"""Open the database for a command that reads, if a pass over the log would change nothing in it.

Asked before anything of the indexer is imported: most commands find nothing new. Anything
unexpected or unknown is left to the pass, which handles and reports it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Optional

from indexer.database.gone_processes import are_gone_processes_known
from indexer.database.search_index import is_prepared
from indexer.errors import DatabaseUnusable
from indexer.log.cursor import is_log_unchanged
from indexer.outbox.targets import load_targets
from indexer.store.connection import open_reader
from indexer.store.cursors import all_cursors
from indexer.store.schema.check import has_our_schema
from indexer.store.spans.prices import price_version, unpriced_calls
from indexer.store.status import stale_after

if TYPE_CHECKING:
    from indexer.system.base import Base


def open_if_up_to_date(base: Base) -> Optional[sqlite3.Connection]:
    """Return the database, opened read-only; None if it needs a pass, or cannot be read."""
    try:
        connection = open_reader(base.database_path)
    except (DatabaseUnusable, OSError, sqlite3.Error):
        return None
    try:
        if _is_up_to_date(base, connection):
            return connection
    except (OSError, sqlite3.Error):
        # The pass meets the same, and reports it.
        pass
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _is_up_to_date(base: Base, connection: sqlite3.Connection) -> bool:
    return (
        has_our_schema(connection)
        and is_log_unchanged(base.log_directory, all_cursors(connection))
        and stale_after(connection) == base.config.stale_after
        and are_gone_processes_known(connection)
        and is_prepared(connection, base)
        and _is_priced(base, connection)
        # Where runs are forwarded, the pass also looks whether all that is due is queued.
        and not load_targets(base).targets
    )


def _is_priced(base: Base, connection: sqlite3.Connection) -> bool:
    """Whether every call has the price that it would be given now."""
    version = price_version(connection)
    if version is None:
        return not unpriced_calls(connection, 1)
    # Imported here: a base without model calls needs none of it.
    from indexer.database.pricing.book import load_prices

    book = load_prices(base.directory).book
    return book is not None and book.version == version and not unpriced_calls(connection, 1)

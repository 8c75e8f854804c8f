"""Write what calls cost next to their tokens, again whenever the price data changes.

Called after a pass and by a rebuild. The log is not read: tokens are in the database.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from indexer.store.connection import transaction
from indexer.store.spans.prices import (
    price_version,
    set_price_version,
    set_prices,
    unpriced_calls,
)

_AT_ONCE = 5_000


def price_calls(connection: sqlite3.Connection, base: Path) -> None:
    """Price the calls that have no price yet; all of them if the price data is another.

    Each portion is committed on its own.
    """
    is_idle = not unpriced_calls(connection, 1)
    if is_idle and price_version(connection) is None:
        return
    # Imported here: a base without model calls needs none of it.
    from indexer.database.pricing.book import load_prices
    from indexer.semantics.facts import Usage

    book = load_prices(base).book
    if book is None:
        return
    if price_version(connection) != book.version:
        with transaction(connection):
            set_price_version(connection, book.version)
    while calls := unpriced_calls(connection, _AT_ONCE):
        priced = [
            (
                one,
                book.estimate(one.model, one.provider, Usage(*one.tokens), one.start_time)
                if one.model
                else None,
            )
            for one in calls
        ]
        with transaction(connection):
            set_prices(connection, book.version, priced)
